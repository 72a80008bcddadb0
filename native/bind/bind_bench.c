/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_bench.c -- what a machine can do at most, as native.bench: for the benches only. */
#include "bind/bind.h"
#include "core/parallel.h"

#include <string.h>

enum { GRAIN = 1 << 18 };

static void read_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const char *data = (const char *)arg + begin;
  uint64_t sums[8] = {0};
  for (int64_t i = 0; i + 64 <= end - begin; i += 64) {
    uint64_t v[8];
    memcpy(v, data + i, sizeof v);
    for (int l = 0; l < 8; l++) {
      sums[l] += v[l];
    }
  }
  volatile uint64_t kept = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] +
                           sums[7]; /* so that the reads are not dropped */
  (void)kept;
}

/* bench.read(tensor) -> true; all its bytes are loaded once, by all threads */
static int bench_read(lua_State *L) {
  const vise_tensor *t = bind_check_tensor(L, 1);
  vise_err err;
  void *data = (void *)(uintptr_t)vise_tensor_data(t);
  if (vise_parallel_for((int64_t)vise_tensor_bytes(t), GRAIN, read_chunk, data, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

typedef struct copy {
  char *out;
  const char *data;
} copy;

static void copy_chunk(void *arg, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const copy *c = arg;
  memcpy(c->out + begin, c->data + begin, (size_t)(end - begin));
}

/* bench.copy(out, tensor) -> true; of as many bytes, by all threads */
static int bench_copy(lua_State *L) {
  vise_tensor *out = bind_check_tensor(L, 1);
  const vise_tensor *t = bind_check_tensor(L, 2);
  luaL_argcheck(L, vise_tensor_bytes(out) == vise_tensor_bytes(t), 1, "expected as many bytes");
  vise_err err;
  copy c = {vise_tensor_data(out), vise_tensor_data(t)};
  if (vise_parallel_for((int64_t)vise_tensor_bytes(t), GRAIN, copy_chunk, &c, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg functions[] = {{"copy", bench_copy}, {"read", bench_read}, {NULL, NULL}};

int luaopen_vise_native_bench(lua_State *L) {
  luaL_newlib(L, functions);
  return 1;
}
