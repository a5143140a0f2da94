/* What a harness (<name>_fuzz.c) defines: the interface of libFuzzer. */
#ifndef CONFAB_TEST_FUZZ_FUZZ_H
#define CONFAB_TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Feed `size` bytes, borrowed for the call, to the parser under test. A finding
 * is a crash, an abort or a sanitizer's report; the return value is always 0.
 * Called many times in one process: leave no state behind. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
