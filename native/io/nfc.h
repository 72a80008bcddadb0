/* SPDX-License-Identifier: Apache-2.0 */
/* io/nfc.h -- is a text in Unicode's normal form C? */
#ifndef VISE_IO_NFC_H
#define VISE_IO_NFC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * True if `text`, valid UTF-8, is certainly in form C (Unicode 15.1). False if it is not, or if
 * only composing it would tell: then the character where that shows is in *code_out.
 */
bool vise_nfc_holds(uint32_t *code_out, const char *text, size_t n);

#endif
