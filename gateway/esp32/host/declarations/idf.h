/* SPDX-License-Identifier: MIT */
/*
 * Just as much of ESP-IDF as the port uses, so that it compiles where ESP-IDF is not to be had. Types have the members
 * that are used, no more; functions.h is compared with the real headers by `make esp32-check`, and the port itself is
 * compiled against them there, which compares the rest. FreeRTOS's control blocks have the sizes that they have on a
 * chip.
 */
#ifndef FOTA_IDF_H
#define FOTA_IDF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;
#define ESP_OK 0

/* --- FreeRTOS --------------------------------------------------------------------------------- */
typedef uint8_t StackType_t; /* depths are in bytes */
typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef uint32_t TickType_t;
typedef struct tskTaskControlBlock *TaskHandle_t;
typedef struct QueueDefinition *QueueHandle_t;
typedef QueueHandle_t SemaphoreHandle_t;
typedef struct StreamBufferDef_t *StreamBufferHandle_t;
typedef struct {
    uint32_t opaque[90];
} StaticTask_t;
typedef struct {
    uint32_t opaque[21];
} StaticSemaphore_t;
typedef struct {
    uint32_t opaque[12];
} StaticStreamBuffer_t;
typedef void (*TaskFunction_t)(void *);
typedef enum { eNoAction = 0, eSetBits, eIncrement, eSetValueWithOverwrite, eSetValueWithoutOverwrite } eNotifyAction;
#define pdTRUE 1
#define portMAX_DELAY 0xffffffffu
#define pdMS_TO_TICKS(ms) ((TickType_t) (ms))
#define ulTaskNotifyTake(clear, ticks) ulTaskGenericNotifyTake(0, clear, ticks)
#define xTaskNotifyGive(task) xTaskGenericNotify(task, 0, 0, eIncrement, NULL)
#define xSemaphoreTake(semaphore, ticks) xQueueSemaphoreTake(semaphore, ticks)
#define xSemaphoreGive(semaphore) xQueueGenericSend(semaphore, NULL, 0, 0)
/* inline functions and macros of functions that have more parameters */
TaskHandle_t xTaskCreateStatic(TaskFunction_t function, const char *name, uint32_t depth, void *parameters,
                               UBaseType_t priority, StackType_t *stack, StaticTask_t *task);
SemaphoreHandle_t xSemaphoreCreateBinaryStatic(StaticSemaphore_t *semaphore);
StreamBufferHandle_t xStreamBufferCreateStatic(size_t size, size_t trigger, uint8_t *storage,
                                               StaticStreamBuffer_t *control);

/* --- esp_timer -------------------------------------------------------------------------------- */
typedef struct esp_timer *esp_timer_handle_t;
typedef struct {
    void (*callback)(void *arg);
    void *arg;
    const char *name;
} esp_timer_create_args_t;

/* --- drivers ---------------------------------------------------------------------------------- */
#define WORD_ALIGNED_ATTR __attribute__((aligned(4)))
#define DMA_ATTR WORD_ALIGNED_ATTR

typedef enum { UART_NUM_0, UART_NUM_1, UART_NUM_2 } uart_port_t;
typedef enum { UART_PARITY_DISABLE = 0, UART_PARITY_EVEN = 2 } uart_parity_t;
typedef enum { UART_DATA, UART_BREAK, UART_BUFFER_FULL, UART_FIFO_OVF } uart_event_type_t;
enum { UART_DATA_8_BITS = 3, UART_STOP_BITS_1 = 1, UART_HW_FLOWCTRL_DISABLE = 0, UART_SCLK_DEFAULT = 4 };
#define UART_PIN_NO_CHANGE (-1)
typedef struct {
    int baud_rate, data_bits;
    uart_parity_t parity;
    int stop_bits, flow_ctrl, source_clk;
} uart_config_t;
typedef struct {
    uart_event_type_t type;
} uart_event_t;

typedef enum { SPI1_HOST, SPI2_HOST, SPI3_HOST } spi_host_device_t;
typedef enum { SPI_DMA_DISABLED = 0, SPI_DMA_CH_AUTO = 3 } spi_dma_chan_t;
#define SPI_TRANS_CS_KEEP_ACTIVE (1u << 8)
#define SPI_TRANS_DMA_BUFFER_ALIGN_MANUAL (1u << 11)
typedef struct spi_device_t *spi_device_handle_t;
typedef struct {
    int mosi_io_num, miso_io_num, sclk_io_num, quadwp_io_num, quadhd_io_num, max_transfer_sz;
} spi_bus_config_t;
typedef struct {
    uint8_t mode;
    int clock_speed_hz, spics_io_num, queue_size;
} spi_device_interface_config_t;
typedef struct {
    uint32_t flags;
    size_t length;
    const void *tx_buffer;
    void *rx_buffer;
} spi_transaction_t;

typedef int gpio_num_t;
enum { GPIO_MODE_OUTPUT = 2, GPIO_MODE_OUTPUT_OD = 6 };
enum { GPIO_PULLUP_DISABLE = 0, GPIO_PULLDOWN_DISABLE = 0, GPIO_INTR_DISABLE = 0 };
typedef struct {
    uint64_t pin_bit_mask;
    int mode, pull_up_en, pull_down_en, intr_type;
} gpio_config_t;

/* --- NVS and partitions ----------------------------------------------------------------------- */
typedef uint32_t nvs_handle_t;
typedef enum { NVS_READONLY, NVS_READWRITE } nvs_open_mode_t;
#define ESP_ERR_NVS_NOT_FOUND 0x1102
#define ESP_ERR_NVS_NO_FREE_PAGES 0x110d
#define ESP_ERR_NVS_NEW_VERSION_FOUND 0x1110
typedef enum { ESP_PARTITION_TYPE_APP, ESP_PARTITION_TYPE_DATA } esp_partition_type_t;
typedef enum { ESP_PARTITION_SUBTYPE_APP_OTA_0 = 0x10, ESP_PARTITION_SUBTYPE_ANY = 0xff } esp_partition_subtype_t;
typedef struct {
    uint32_t secure_version;
    char version[32];
} esp_app_desc_t;
typedef uint32_t esp_ota_handle_t;
typedef enum { ESP_OTA_IMG_NEW, ESP_OTA_IMG_PENDING_VERIFY } esp_ota_img_states_t;
#define OTA_WITH_SEQUENTIAL_WRITES 0xfffffffe
typedef struct {
    uint32_t size;
    esp_partition_subtype_t subtype;
} esp_partition_t;

/* --- events, HTTP, MQTT ----------------------------------------------------------------------- */
typedef const char *esp_event_base_t;
typedef void (*esp_event_handler_t)(void *arg, esp_event_base_t base, int32_t id, void *data);
#define ESP_EVENT_ANY_ID (-1)

typedef struct esp_http_client *esp_http_client_handle_t;
typedef enum { HTTP_EVENT_ON_HEADER = 3 } esp_http_client_event_id_t;
typedef struct {
    esp_http_client_event_id_t event_id;
    char *header_key, *header_value;
} esp_http_client_event_t;
typedef struct {
    const char *url, *user_agent, *cert_pem;
    int timeout_ms, buffer_size, buffer_size_tx;
    bool disable_auto_redirect;
    esp_err_t (*event_handler)(esp_http_client_event_t *event);
    esp_err_t (*crt_bundle_attach)(void *conf);
} esp_http_client_config_t;
#define ESP_ERR_HTTP_EAGAIN 0x7007

typedef struct esp_mqtt_client *esp_mqtt_client_handle_t;
typedef enum { MQTT_ERROR_TYPE_CONNECTION_REFUSED = 2 } esp_mqtt_error_type_t;
typedef struct {
    esp_err_t esp_tls_last_esp_err;
    int esp_tls_stack_err, esp_tls_cert_verify_flags;
    esp_mqtt_error_type_t error_type;
    int connect_return_code;
} esp_mqtt_error_codes_t;
typedef enum {
    MQTT_EVENT_ANY = -1,
    MQTT_EVENT_ERROR,
    MQTT_EVENT_CONNECTED,
    MQTT_EVENT_DISCONNECTED,
    MQTT_EVENT_DATA = 6
} esp_mqtt_event_id_t;
typedef struct {
    char *data, *topic;
    int data_len, current_data_offset, topic_len;
    esp_mqtt_error_codes_t *error_handle;
} esp_mqtt_event_t;
enum { MQTT_PROTOCOL_V_3_1_1 = 2 };
typedef struct {
    struct {
        struct {
            const char *uri;
        } address;
        struct {
            const char *certificate;
            esp_err_t (*crt_bundle_attach)(void *conf);
        } verification;
    } broker;
    struct {
        const char *username, *client_id;
        struct {
            const char *password;
        } authentication;
    } credentials;
    struct {
        struct {
            const char *topic, *msg;
            int msg_len, qos, retain;
        } last_will;
        int keepalive, protocol_ver;
    } session;
    struct {
        int timeout_ms;
        bool disable_auto_reconnect;
    } network;
    struct {
        int priority, stack_size;
    } task;
    struct {
        int size, out_size;
    } buffer;
} esp_mqtt_client_config_t;

/* --- network ---------------------------------------------------------------------------------- */
typedef struct esp_netif_obj esp_netif_t;
extern const esp_event_base_t WIFI_EVENT, IP_EVENT;
enum { WIFI_EVENT_STA_START = 2, WIFI_EVENT_STA_DISCONNECTED = 5, IP_EVENT_STA_GOT_IP = 0 };
typedef struct {
    int magic;
} wifi_init_config_t;
#define WIFI_INIT_CONFIG_DEFAULT()                                                                                     \
    {                                                                                                                  \
        0                                                                                                              \
    }
typedef struct {
    struct {
        uint8_t ssid[32], password[64];
    } sta;
} wifi_config_t;
typedef struct {
    uint8_t reason;
} wifi_event_sta_disconnected_t;
typedef enum { WIFI_MODE_STA = 1 } wifi_mode_t;
typedef enum { WIFI_STORAGE_RAM = 1 } wifi_storage_t;
typedef enum { WIFI_IF_STA } wifi_interface_t;
typedef struct {
    bool wait_for_sync;
    void (*sync_cb)(struct timeval *time); /* of whoever includes <sys/time.h> before */
    const char *server;
} esp_sntp_config_t;
#define ESP_NETIF_SNTP_DEFAULT_CONFIG(name)                                                                            \
    {                                                                                                                  \
        .server = (name)                                                                                               \
    }

/* --- PSA -------------------------------------------------------------------------------------- */
typedef int32_t psa_status_t;
typedef uint32_t psa_algorithm_t, psa_key_id_t, psa_key_usage_t;
typedef uint16_t psa_key_type_t;
typedef struct {
    uint32_t opaque[56]; /* Mbed TLS 3.6: room for SHA-512 */
} psa_hash_operation_t;
typedef struct {
    uint32_t opaque[8];
} psa_key_attributes_t;
#define PSA_SUCCESS 0
#define PSA_ALG_SHA_256 0x02000009u
#define PSA_ALG_ECDSA(hash) (0x06000600u | ((hash) &0xffu))
#define PSA_ECC_FAMILY_SECP_R1 0x12
#define PSA_KEY_TYPE_ECC_PUBLIC_KEY(curve) ((psa_key_type_t) (0x4100 | (curve)))
#define PSA_KEY_USAGE_VERIFY_HASH 0x2000u
#define PSA_KEY_ATTRIBUTES_INIT                                                                                        \
    {                                                                                                                  \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }
psa_hash_operation_t psa_hash_operation_init(void);
void psa_set_key_type(psa_key_attributes_t *attributes, psa_key_type_t type);
void psa_set_key_bits(psa_key_attributes_t *attributes, size_t bits);
void psa_set_key_usage_flags(psa_key_attributes_t *attributes, psa_key_usage_t flags);
void psa_set_key_algorithm(psa_key_attributes_t *attributes, psa_algorithm_t algorithm);

#include "functions.h"

#endif
