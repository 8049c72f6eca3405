/* SPDX-License-Identifier: MIT */
/** @file schema_v1.h Schema version 1 as it was released: what an upgrade begins with. It never changes. */
#ifndef HUB_SCHEMA_V1_H
#define HUB_SCHEMA_V1_H

static const char schema_v1[] =
    "CREATE TABLE tokens ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'gateway')),"
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"
    "  created INTEGER NOT NULL,"
    "  revoked INTEGER);"
    "CREATE UNIQUE INDEX token_names ON tokens (name) WHERE revoked IS NULL;"

    "CREATE TABLE releases ("
    "  sha256 TEXT PRIMARY KEY,"
    "  size INTEGER NOT NULL, identity TEXT NOT NULL, product TEXT NOT NULL, version TEXT NOT NULL,"
    "  hw_min INTEGER NOT NULL, hw_max INTEGER NOT NULL, counter INTEGER NOT NULL, image_size INTEGER NOT NULL,"
    "  key_id TEXT NOT NULL, name TEXT NOT NULL, notes TEXT NOT NULL, uploaded INTEGER NOT NULL);"
    "CREATE INDEX release_times ON releases (uploaded);"

    "CREATE TABLE gateways ("
    "  gateway TEXT PRIMARY KEY,"
    "  online INTEGER NOT NULL, version TEXT NOT NULL,"
    "  seq INTEGER NOT NULL,"
    "  seq_before INTEGER NOT NULL,"
    "  seq_offline INTEGER NOT NULL,"
    "  updated INTEGER NOT NULL);"

    "CREATE TABLE devices ("
    "  gateway TEXT NOT NULL REFERENCES gateways ON DELETE CASCADE, device TEXT NOT NULL,"
    "  seq INTEGER NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  version TEXT NOT NULL, identity TEXT NOT NULL, slot TEXT NOT NULL, confirmed INTEGER NOT NULL,"
    "  target TEXT, info TEXT,"
    "  updated INTEGER NOT NULL,"
    "  PRIMARY KEY (gateway, device));"

    "CREATE TABLE history ("
    "  id INTEGER PRIMARY KEY,"
    "  gateway TEXT NOT NULL, device TEXT NOT NULL,"
    "  time INTEGER NOT NULL, state TEXT NOT NULL, job TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  version TEXT NOT NULL, target_version TEXT NOT NULL,"
    "  FOREIGN KEY (gateway, device) REFERENCES devices ON DELETE CASCADE);"
    "CREATE INDEX history_devices ON history (gateway, device, id);"

    "CREATE TABLE updates ("
    "  id INTEGER PRIMARY KEY,"
    "  job TEXT NOT NULL UNIQUE,"
    "  gateway TEXT NOT NULL, device TEXT NOT NULL,"
    "  release TEXT NOT NULL,"
    "  active_release TEXT REFERENCES releases (sha256) ON DELETE RESTRICT,"
    "  size INTEGER NOT NULL, version TEXT NOT NULL, retry INTEGER NOT NULL,"
    "  state TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,"
    "  started INTEGER NOT NULL, ended INTEGER,"
    "  ended_by_hub INTEGER NOT NULL DEFAULT 0, cancelling INTEGER NOT NULL DEFAULT 0,"
    "  FOREIGN KEY (gateway, device) REFERENCES devices ON DELETE CASCADE,"
    "  CHECK ((ended IS NULL) = (active_release IS NOT NULL)));"
    "CREATE UNIQUE INDEX one_update_a_device ON updates (gateway, device) WHERE ended IS NULL;"
    "CREATE INDEX active_releases ON updates (active_release) WHERE active_release IS NOT NULL;";

#endif
