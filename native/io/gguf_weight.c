/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor of a GGUF file as a weight: what its type is called here, and where its bytes go. */
#include "io/gguf.h"
#include "weight/quant.h"

#include <string.h>

/* Does the format of that name store what the file has, one part called blocks? */
static bool is_blocks(const vise_format_spec *spec) {
  vise_part_shape parts[VISE_FORMAT_PARTS];
  return spec->format != NULL && spec->format->parts(spec, parts) == 1 &&
         strcmp(parts[0].name, "blocks") == 0;
}

static vise_status
load_blocks(vise_weight **out, vise_tree *tree, const char *format, vise_tensor *t, vise_err *err) {
  VISE_TRY(vise_tree_add_text(tree, "format", format, err));
  VISE_TRY(vise_tree_add_part(tree, "blocks", t, err));
  return vise_weight_load(out, tree, err);
}

vise_status
vise_gguf_weight(vise_weight **out, const vise_gguf_type *type, vise_tensor *t, vise_err *err) {
  *out = NULL;
  if (type->is_plain) {
    return vise_weight_dense(out, t, err);
  }
  char shape[160];
  if (vise_tensor_rank(t) != 2 || vise_tensor_dim(t, 1) % type->bytes != 0) {
    return vise_fail(err, VISE_ESHAPE, "gguf: blocks are %s, expected a matrix of rows of %s",
                     vise_tensor_shape_text(shape, sizeof shape, t), type->name);
  }
  const int64_t m = vise_tensor_dim(t, 0), k = vise_tensor_dim(t, 1) / type->bytes * type->block;
  const vise_format_spec spec = {.format = vise_format_find(type->name), .m = m, .k = k};
  if (!is_blocks(&spec)) {
    return vise_fail(err, VISE_EUNSUPPORTED, "gguf: type %s is unsupported", type->name);
  }
  vise_tree *tree;
  VISE_TRY(vise_tree_create(&tree, "quant", m, k, err));
  const vise_status st = load_blocks(out, tree, type->name, t, err);
  vise_tree_free(tree);
  return st;
}
