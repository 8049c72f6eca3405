"""Shared helpers for the Python tests: free ports, processes, a private Mosquitto, waiting.

Standard library only. Every process is started in the foreground of its own log, dies with the
test (PR_SET_PDEATHSIG) and is ended by its own pid.

    with Broker() as broker, Proc(["fota-hub", ...]) as hub:
        wait_until(lambda: port_open(hub_port), 10, "the hub to listen")
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def free_port():
    """Return a TCP port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def port_open(port, host="127.0.0.1"):
    """True when something accepts TCP connections on the port."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition, timeout=10.0, what="the condition", interval=0.05):
    """Call condition() until it returns something true, and return that.

    Raises TimeoutError that names `what` after `timeout` seconds. Exceptions of condition() pass through.
    """
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(interval)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Proc:
    """A child process with captured output; a context manager that ends it.

    argv: program and arguments; name: for messages; log: a file to keep the output in (default: a
    temporary one, removed at the end); stderr goes there too. Further keyword
    arguments go to subprocess.Popen.
    """

    def __init__(self, argv, name=None, log=None, **popen):
        self.argv = [str(a) for a in argv]
        self.name = name or os.path.basename(self.argv[0])
        self._own_log = log is None
        if log is None:
            fd, log = tempfile.mkstemp(prefix=f"fota-{self.name}-", suffix=".log")
            os.close(fd)
        self.log_path = str(log)
        self._popen = popen
        self.proc = None

    def start(self):
        with open(self.log_path, "ab") as out:
            self.proc = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent, **self._popen)
        return self

    @property
    def pid(self):
        return self.proc.pid

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def output(self):
        """Everything that the process printed so far."""
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def wait_output(self, text, timeout=10.0):
        """Wait until `text` appears in the output; fails at once when the process ends without it."""
        def seen():
            running = self.alive()
            if text in self.output():
                return True
            if not running:
                raise RuntimeError(f"{self.name} ended ({self.proc.returncode}) without {text!r}:\n{self.output()}")
            return False
        wait_until(seen, timeout, f"{text!r} in the output of {self.name}")

    def stop(self, timeout=10.0):
        """SIGTERM, then SIGKILL after `timeout` seconds. Returns the exit status (negative: by signal)."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(timeout)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        return self.proc.returncode

    def kill(self):
        """SIGKILL: the process gets no chance to clean up."""
        self.proc.kill()
        return self.proc.wait()

    def wait(self, timeout=10.0):
        return self.proc.wait(timeout)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.stop()
        if kind is not None:
            print(f"---- output of {self.name} ----\n{self.output()}---- end of {self.name} ----", flush=True)
        if self._own_log:
            os.unlink(self.log_path)
        return False


class Broker:
    """A private Mosquitto on 127.0.0.1. stop() and start() keep the port, as a broker that restarts."""

    def __init__(self, port=None, extra_config=""):
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self._extra = extra_config
        self._dir = None
        self._proc = None

    def start(self):
        if self._dir is None:
            self._dir = tempfile.mkdtemp(prefix="fota-broker-")
        config = os.path.join(self._dir, "mosquitto.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
                    f"set_tcp_nodelay true\nmax_packet_size 65536\n{self._extra}\n")
        exe = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if exe is None:
            raise RuntimeError("mosquitto is not installed; apt-get install mosquitto")
        self._proc = Proc([exe, "-c", config], "mosquitto", log=os.path.join(self._dir, "log")).start()

        def up():
            if not self._proc.alive():
                raise RuntimeError(f"mosquitto ended:\n{self._proc.output()}")
            return port_open(self.port)
        wait_until(up, 10, f"mosquitto on port {self.port}")
        return self

    def stop(self):
        if self._proc is not None:
            self._proc.stop()
            self._proc = None

    def address(self):
        return f"{self.host}:{self.port}"

    def publish(self, topic, payload, retain=False, qos=1):
        """Publish one message through mosquitto_pub; payload is str or bytes."""
        if isinstance(payload, str):
            payload = payload.encode()
        cmd = ["mosquitto_pub", "-h", self.host, "-p", str(self.port), "-t", topic, "-q", str(qos)]
        cmd += ["-s"] if payload else ["-n"]
        subprocess.run(cmd + (["-r"] if retain else []), input=payload, check=True, timeout=15)

    def subscribe(self, topic):
        """Return a started Subscriber of the topic filter."""
        return Subscriber(self, topic)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        self.stop()
        shutil.rmtree(self._dir, ignore_errors=True)
        return False


class Subscriber:
    """Collects (topic, payload) through mosquitto_sub until it is closed. mosquitto_sub reconnects by itself."""

    def __init__(self, broker, topic):
        self.messages = []
        self._lock = threading.Lock()
        self._ready = threading.Event()
        # -d prints the SUBACK, so that nothing published after the constructor returned can be missed.
        cmd = ["stdbuf", "-oL", "mosquitto_sub", "-h", broker.host, "-p", str(broker.port), "-t", topic,
               "-q", "1", "-d", "-F", "MSG\t%t\t%p"]
        self._proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            self.close()
            raise TimeoutError(f"no SUBACK for {topic} in 10 s")

    def _read(self):
        for line in self._proc.stdout:
            text = line.decode("utf-8", "replace").rstrip("\n")
            if text.startswith("MSG\t"):
                _, topic, payload = text.split("\t", 2)
                with self._lock:
                    self.messages.append((topic, payload))
            elif text.startswith("Subscribed "):
                self._ready.set()

    def take(self):
        """Return what has arrived, and forget it."""
        with self._lock:
            messages, self.messages = self.messages, []
        return messages

    def close(self):
        if self._proc.poll() is None:
            self._proc.terminate()
            self._proc.wait()
        self._thread.join(5)
        self._proc.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
        return False
