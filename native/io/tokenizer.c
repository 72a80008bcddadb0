/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tokenizer.h"

#include "core/mem.h"
#include "io/tokenizer_parts.h"

vise_status vise_tokenizer_encode(int32_t **ids_out,
                                  int64_t *n_out,
                                  const vise_tokenizer *t,
                                  const char *text,
                                  size_t bytes,
                                  bool with_bos,
                                  vise_err *err) {
  *ids_out = NULL;
  *n_out = 0;
  vise_ids ids = {0};
  vise_status st = vise_ids_reserve(&ids, (int64_t)(bytes / 4), err);
  if (st == VISE_OK) {
    st = t->functions->encode(&ids, t, text, bytes, with_bos, err);
  }
  if (st != VISE_OK) {
    vise_mem_free(ids.data);
    return st;
  }
  *ids_out = ids.data;
  *n_out = ids.count;
  return VISE_OK;
}

vise_status vise_tokenizer_decode(char **text_out,
                                  size_t *bytes_out,
                                  const vise_tokenizer *t,
                                  const int32_t *ids,
                                  int64_t n,
                                  vise_err *err) {
  *text_out = NULL;
  *bytes_out = 0;
  for (int64_t i = 0; i < n; i++) {
    if (ids[i] < 0 || ids[i] >= t->size || t->pieces[ids[i]].text == NULL) {
      return vise_fail(err, VISE_EARG, "decode: id %d is no token, the vocabulary has %lld", ids[i],
                       (long long)t->size);
    }
  }
  vise_text text = {0};
  vise_status st = t->functions->decode(&text, t, ids, n, err);
  if (st == VISE_OK) {
    st = vise_text_append(&text, "", 1, err);
  }
  if (st != VISE_OK) {
    vise_mem_free(text.data);
    return st;
  }
  *text_out = text.data;
  *bytes_out = text.count - 1;
  return VISE_OK;
}

void vise_tokenizer_free(vise_tokenizer *t) {
  if (t != NULL) {
    t->functions->free(t);
  }
}

const char *vise_tokenizer_kind(const vise_tokenizer *t) {
  return t->functions->kind;
}

int64_t vise_tokenizer_size(const vise_tokenizer *t) {
  return t->size;
}

int32_t vise_tokenizer_bos(const vise_tokenizer *t) {
  return t->bos;
}

int32_t vise_tokenizer_eos(const vise_tokenizer *t) {
  return t->eos;
}

const char *vise_tokenizer_piece(size_t *bytes_out, const vise_tokenizer *t, int64_t id) {
  *bytes_out = 0;
  if (id < 0 || id >= t->size) {
    return NULL;
  }
  *bytes_out = t->pieces[id].bytes;
  return t->pieces[id].text;
}
