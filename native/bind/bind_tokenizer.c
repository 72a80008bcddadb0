/* SPDX-License-Identifier: Apache-2.0 */
/* bind/bind_tokenizer.c -- io/tokenizer.h as native.tokenizer. Token ids keep the file's counting,
 * from 0. */
#include "bind/bind.h"
#include "core/mem.h"
#include "io/json.h"
#include "io/tokenizer.h"
#include "io/word_count.h"

#include <string.h>

#define TOKENIZER "vise.tokenizer"

static vise_tokenizer *check_tokenizer(lua_State *L, int arg) {
  vise_tokenizer **slot = luaL_checkudata(L, arg, TOKENIZER);
  luaL_argcheck(L, *slot != NULL, arg, "tokenizer is closed");
  return *slot;
}

typedef vise_status create_fn(vise_tokenizer **out, const char *data, size_t bytes, vise_err *err);

static int create(lua_State *L, create_fn *fn) {
  size_t bytes;
  const char *data = luaL_checklstring(L, 1, &bytes);
  vise_err err;
  vise_tokenizer **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, TOKENIZER);
  if (fn(slot, data, bytes, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  bind_count_bytes(L, 3 * bytes); /* about what it keeps */
  return 1;
}

static vise_status
create_sentencepiece(vise_tokenizer **out, const char *data, size_t bytes, vise_err *err) {
  return vise_tokenizer_create_sentencepiece(out, data, bytes, err);
}

/* tokenizer.sentencepiece(bytes of a tokenizer.model) -> tokenizer | nil, message, code */
static int tokenizer_sentencepiece(lua_State *L) {
  return create(L, create_sentencepiece);
}

/* tokenizer.bpe(text of a tokenizer.json) -> tokenizer | nil, message, code */
static int tokenizer_bpe(lua_State *L) {
  return create(L, vise_tokenizer_create_bpe);
}

/* What is counted on its way to Lua tables, freed by Lua should making those raise. */
#define WORDS "vise.tokenizer.words"

static int words_free(lua_State *L) {
  vise_word_counts_free(luaL_checkudata(L, 1, WORDS));
  return 0;
}

/* tokenizer.words(text, pre_tokenizer in JSON) -> words, counts | nil, message, code */
static int tokenizer_words(lua_State *L) {
  size_t bytes, spec_bytes;
  const char *text = luaL_checklstring(L, 1, &bytes);
  const char *spec_text = luaL_checklstring(L, 2, &spec_bytes);
  vise_err err;
  vise_word_counts *counts = lua_newuserdatauv(L, sizeof *counts, 0);
  *counts = (vise_word_counts){0};
  luaL_setmetatable(L, WORDS);
  json_t *spec;
  if (vise_json_parse(&spec, spec_text, spec_bytes, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  const vise_status st = vise_word_counts_init(counts, spec, text, bytes, &err);
  json_decref(spec);
  if (st != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_createtable(L, (int)counts->n, 0);
  lua_createtable(L, (int)counts->n, 0);
  for (int64_t i = 0; i < counts->n; i++) {
    lua_pushlstring(L, counts->words[i].text, counts->words[i].bytes);
    lua_seti(L, -3, i + 1);
    lua_pushinteger(L, counts->counts[i]);
    lua_seti(L, -2, i + 1);
  }
  vise_word_counts_free(counts);
  return 2;
}

/* t:encode(text[, with_bos]) -> i32 tensor [n] | nil, message, code */
static int tokenizer_encode(lua_State *L) {
  size_t bytes;
  const vise_tokenizer *t = check_tokenizer(L, 1);
  const char *text = luaL_checklstring(L, 2, &bytes);
  const bool with_bos = lua_toboolean(L, 3);
  vise_err err;
  vise_tensor **slot = bind_new_tensor(L);
  int32_t *ids;
  int64_t n;
  if (vise_tokenizer_encode(&ids, &n, t, text, bytes, with_bos, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  const vise_status st = vise_tensor_create(slot, VISE_DTYPE_I32, 1, &n, &err);
  if (st == VISE_OK && n > 0) {
    memcpy(vise_tensor_data(*slot), ids, (size_t)n * sizeof *ids);
  }
  vise_mem_free(ids);
  if (st != VISE_OK) {
    return bind_fail(L, &err);
  }
  bind_count_bytes(L, vise_tensor_bytes(*slot));
  return 1;
}

/* The ids at `arg`, a list or an i32 tensor; a list's copy belongs to Lua. */
static const int32_t *check_ids(lua_State *L, int arg, int64_t *n_out) {
  if (lua_type(L, arg) != LUA_TTABLE) {
    vise_tensor *ids = bind_check_vector_i32(L, arg);
    *n_out = vise_tensor_count(ids);
    return vise_tensor_data(ids);
  }
  const lua_Integer n = luaL_len(L, arg);
  int32_t *ids = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *ids, 0);
  for (lua_Integer i = 0; i < n; i++) {
    int is_integer;
    lua_geti(L, arg, i + 1);
    const lua_Integer id = lua_tointegerx(L, -1, &is_integer);
    luaL_argcheck(L, is_integer && id >= INT32_MIN && id <= INT32_MAX, arg, "ids are integers");
    ids[i] = (int32_t)id;
    lua_pop(L, 1);
  }
  *n_out = n;
  return ids;
}

/* Decoded text on its way to a Lua string, freed by Lua should making that string raise. */
#define DECODED "vise.tokenizer.decoded"

static int decoded_free(lua_State *L) {
  char **slot = luaL_checkudata(L, 1, DECODED);
  vise_mem_free(*slot);
  *slot = NULL;
  return 0;
}

/* t:decode(ids) -> string; ids is a list or an i32 tensor */
static int tokenizer_decode(lua_State *L) {
  const vise_tokenizer *t = check_tokenizer(L, 1);
  int64_t n;
  const int32_t *ids = check_ids(L, 2, &n);
  size_t bytes;
  vise_err err;
  char **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  luaL_setmetatable(L, DECODED);
  if (vise_tokenizer_decode(slot, &bytes, t, ids, n, &err) != VISE_OK) {
    return bind_fail(L, &err);
  }
  lua_pushlstring(L, *slot, bytes);
  vise_mem_free(*slot);
  *slot = NULL;
  return 1;
}

/* t:piece(id) -> bytes of the piece as the file has them; nil where no piece has that id */
static int tokenizer_piece(lua_State *L) {
  const vise_tokenizer *t = check_tokenizer(L, 1);
  size_t bytes;
  const char *text = vise_tokenizer_piece(&bytes, t, luaL_checkinteger(L, 2));
  if (text == NULL) {
    luaL_pushfail(L);
  } else {
    lua_pushlstring(L, text, bytes);
  }
  return 1;
}

/* t:size() -> number of ids, the greatest plus one */
static int tokenizer_size(lua_State *L) {
  lua_pushinteger(L, vise_tokenizer_size(check_tokenizer(L, 1)));
  return 1;
}

static int push_id(lua_State *L, int32_t id) {
  if (id < 0) {
    luaL_pushfail(L);
  } else {
    lua_pushinteger(L, id);
  }
  return 1;
}

/* t:bos() -> id | nil */
static int tokenizer_bos(lua_State *L) {
  return push_id(L, vise_tokenizer_bos(check_tokenizer(L, 1)));
}

/* t:eos() -> id | nil */
static int tokenizer_eos(lua_State *L) {
  return push_id(L, vise_tokenizer_eos(check_tokenizer(L, 1)));
}

/* t:kind() -> "sentencepiece" or "bpe" */
static int tokenizer_kind(lua_State *L) {
  lua_pushstring(L, vise_tokenizer_kind(check_tokenizer(L, 1)));
  return 1;
}

/* tostring(t) -> vise.tokenizer sentencepiece, 32000 pieces */
static int tokenizer_tostring(lua_State *L) {
  vise_tokenizer **slot = luaL_checkudata(L, 1, TOKENIZER);
  if (*slot == NULL) {
    lua_pushliteral(L, "vise.tokenizer (closed)");
  } else {
    lua_pushfstring(L, "vise.tokenizer %s, %I pieces", vise_tokenizer_kind(*slot),
                    (lua_Integer)vise_tokenizer_size(*slot));
  }
  return 1;
}

/* t:close(), __close, __gc. Safe to call twice. */
static int tokenizer_close(lua_State *L) {
  vise_tokenizer **slot = luaL_checkudata(L, 1, TOKENIZER);
  vise_tokenizer_free(*slot);
  *slot = NULL;
  return 0;
}

static const luaL_Reg functions[] = {
    {"sentencepiece", tokenizer_sentencepiece},
    {"bpe", tokenizer_bpe},
    {"words", tokenizer_words},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"encode", tokenizer_encode}, {"decode", tokenizer_decode}, {"piece", tokenizer_piece},
    {"size", tokenizer_size},     {"bos", tokenizer_bos},       {"eos", tokenizer_eos},
    {"kind", tokenizer_kind},     {"close", tokenizer_close},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", NULL}, /* filled by bind_new_class */
    {"__gc", tokenizer_close},
    {"__close", tokenizer_close},
    {"__tostring", tokenizer_tostring},
    {NULL, NULL},
};

/* A class of values that only free themselves. */
static void new_scratch_class(lua_State *L, const char *name, lua_CFunction free_fn) {
  luaL_newmetatable(L, name);
  lua_pushcfunction(L, free_fn);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

int luaopen_vise_native_tokenizer(lua_State *L) {
  bind_new_class(L, TOKENIZER, methods, metamethods);
  new_scratch_class(L, DECODED, decoded_free);
  new_scratch_class(L, WORDS, words_free);
  luaL_newlib(L, functions);
  return 1;
}
