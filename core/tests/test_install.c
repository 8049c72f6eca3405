#include "support/cmocka_all.h"
#include "support/device.h"
static struct ram_flash f; static struct test_image a,b;
static void life(void **s){ (void)s; struct device d; ram_flash_init(&f); test_image_make(&a,20000,1,1); test_image_make(&b,30000,2,2);
 device_init(&d,&f); flash_image(&f,&a,0);
 assert_int_equal(device_reset(&d,0),0); assert_int_equal(d.decision.attempt,1); assert_int_equal(d.error,0); assert_int_equal(device_jump(&d),0); assert_int_equal(device_confirm(&d),0);
 assert_int_equal(device_reset(&d,0),0); assert_int_equal(d.decision.attempt,0);
 assert_int_equal(device_install(&d,&b,1024,18000),0);
 assert_int_equal(device_reset(&d,0),0);
 assert_int_equal(device_install(&d,&b,1024,40000),0); assert_int_equal(f.conflicts,0);
 for(int i=1;i<=3;i++){ assert_int_equal(device_reset(&d,0),1); assert_int_equal(d.decision.attempt,i); assert_int_equal(device_jump(&d),1);}
 assert_int_equal(device_reset(&d,0),0); assert_int_equal(d.decision.reason,FOTA_E_RESETS); assert_int_equal(device_jump(&d),0);
 assert_int_equal(device_reset(&d,0),0); assert_int_equal(d.decision.reject,255);
 assert_int_equal(device_install(&d,&b,1024,40000),FOTA_E_REJECTED);
 b.header.version.patch=9; test_image_seal(&b); assert_int_equal(device_install(&d,&b,1024,40000),0);
 assert_int_equal(device_reset(&d,0),1); device_jump(&d); device_confirm(&d); assert_int_equal(d.journal.state.floor,2);
 assert_int_equal(device_reset(&d,0),1); assert_int_equal(d.decision.attempt,0);
 assert_int_equal(device_install(&d,&a,1024,40000),FOTA_E_FLOOR);
}
int main(void){const struct CMUnitTest t[]={cmocka_unit_test(life)};return cmocka_run_group_tests(t,NULL,NULL);}
