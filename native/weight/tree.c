/* SPDX-License-Identifier: Apache-2.0 */
#include "weight/tree.h"

#include "core/mem.h"

#include <stdio.h>
#include <string.h>

vise_status
vise_tree_create(vise_tree **out, const char *kind, int64_t m, int64_t k, vise_err *err) {
  *out = NULL;
  if (strlen(kind) >= VISE_TREE_NAME) {
    return vise_fail(err, VISE_EARG, "tree: kind '%s' has %zu letters, expected fewer than %d",
                     kind, strlen(kind), VISE_TREE_NAME);
  }
  void *memory;
  VISE_TRY(vise_mem_zalloc(&memory, sizeof(vise_tree), err));
  *out = memory;
  strcpy((*out)->kind, kind);
  (*out)->m = m;
  (*out)->k = k;
  return VISE_OK;
}

void vise_tree_free(vise_tree *t) {
  if (t == NULL) {
    return;
  }
  for (int i = 0; i < t->n_parts; i++) {
    vise_tensor_release(t->parts[i].tensor);
  }
  for (int i = 0; i < t->n_children; i++) {
    vise_tree_free(t->children[i]);
  }
  vise_mem_free(t);
}

static const vise_attribute *find_attribute(const vise_tree *t, const char *name) {
  for (int i = 0; i < t->n_attributes; i++) {
    if (strcmp(t->attributes[i].name, name) == 0) {
      return &t->attributes[i];
    }
  }
  return NULL;
}

static vise_tensor *find_part(const vise_tree *t, const char *name) {
  for (int i = 0; i < t->n_parts; i++) {
    if (strcmp(t->parts[i].name, name) == 0) {
      return t->parts[i].tensor;
    }
  }
  return NULL;
}

static vise_status check_name(const vise_tree *t,
                              const char *what,
                              const char *name,
                              bool is_taken,
                              bool has_room,
                              vise_err *err) {
  if (*name == '\0' || strlen(name) >= VISE_TREE_NAME) {
    return vise_fail(err, VISE_EARG, "%s: name of %s '%s' has %zu letters, expected 1 to %d",
                     t->kind, what, name, strlen(name), VISE_TREE_NAME - 1);
  }
  if (is_taken) {
    return vise_fail(err, VISE_EARG, "%s: has %s '%s' already", t->kind, what, name);
  }
  if (!has_room) {
    return vise_fail(err, VISE_EARG, "%s: no room for %s '%s'", t->kind, what, name);
  }
  return VISE_OK;
}

static vise_status add_attribute(
    vise_attribute **out, vise_tree *t, const char *name, vise_attribute_type type, vise_err *err) {
  VISE_TRY(check_name(t, "attribute", name, find_attribute(t, name) != NULL,
                      t->n_attributes < VISE_TREE_ATTRIBUTES, err));
  *out = &t->attributes[t->n_attributes++];
  strcpy((*out)->name, name);
  (*out)->type = type;
  return VISE_OK;
}

vise_status vise_tree_add_int(vise_tree *t, const char *name, int64_t value, vise_err *err) {
  vise_attribute *a;
  VISE_TRY(add_attribute(&a, t, name, VISE_ATTRIBUTE_INT, err));
  a->i = value;
  return VISE_OK;
}

vise_status vise_tree_add_real(vise_tree *t, const char *name, double value, vise_err *err) {
  vise_attribute *a;
  VISE_TRY(add_attribute(&a, t, name, VISE_ATTRIBUTE_REAL, err));
  a->r = value;
  return VISE_OK;
}

vise_status vise_tree_add_text(vise_tree *t, const char *name, const char *value, vise_err *err) {
  if (strlen(value) >= VISE_TREE_NAME) {
    return vise_fail(err, VISE_EARG,
                     "%s: attribute '%s' is a text of %zu letters, expected at most %d", t->kind,
                     name, strlen(value), VISE_TREE_NAME - 1);
  }
  vise_attribute *a;
  VISE_TRY(add_attribute(&a, t, name, VISE_ATTRIBUTE_TEXT, err));
  strcpy(a->text, value);
  return VISE_OK;
}

vise_status vise_tree_add_part(vise_tree *t, const char *name, vise_tensor *tensor, vise_err *err) {
  VISE_TRY(
      check_name(t, "part", name, find_part(t, name) != NULL, t->n_parts < VISE_TREE_PARTS, err));
  if (!vise_tensor_is_contiguous(tensor)) {
    return vise_fail(err, VISE_EARG, "%s: part '%s' is not contiguous", t->kind, name);
  }
  vise_part *part = &t->parts[t->n_parts++];
  strcpy(part->name, name);
  part->tensor = vise_tensor_retain(tensor);
  return VISE_OK;
}

vise_status vise_tree_add_child(vise_tree *t, vise_tree *child, vise_err *err) {
  if (t->n_children == VISE_TREE_CHILDREN) {
    return vise_fail(err, VISE_EARG, "%s: no room for more than %d children", t->kind,
                     VISE_TREE_CHILDREN);
  }
  t->children[t->n_children++] = child;
  return VISE_OK;
}

static vise_status get_attribute(const vise_attribute **out,
                                 const vise_tree *t,
                                 const char *name,
                                 vise_attribute_type type,
                                 vise_err *err) {
  static const char *const types[] = {"an integer", "a number", "a text"};
  *out = find_attribute(t, name);
  if (*out == NULL) {
    return vise_fail(err, VISE_EFORMAT, "%s: has no attribute '%s'", t->kind, name);
  }
  if ((*out)->type != type) {
    return vise_fail(err, VISE_EFORMAT, "%s: attribute '%s' is %s, expected %s", t->kind, name,
                     types[(*out)->type], types[type]);
  }
  return VISE_OK;
}

vise_status vise_tree_get_int(int64_t *out, const vise_tree *t, const char *name, vise_err *err) {
  const vise_attribute *a;
  VISE_TRY(get_attribute(&a, t, name, VISE_ATTRIBUTE_INT, err));
  *out = a->i;
  return VISE_OK;
}

vise_status vise_tree_get_real(double *out, const vise_tree *t, const char *name, vise_err *err) {
  const vise_attribute *a;
  VISE_TRY(get_attribute(&a, t, name, VISE_ATTRIBUTE_REAL, err));
  *out = a->r;
  return VISE_OK;
}

vise_status
vise_tree_get_text(const char **out, const vise_tree *t, const char *name, vise_err *err) {
  const vise_attribute *a;
  VISE_TRY(get_attribute(&a, t, name, VISE_ATTRIBUTE_TEXT, err));
  *out = a->text;
  return VISE_OK;
}

static const char *shape_text(char *out, size_t out_bytes, int rank, const int64_t *shape) {
  size_t at = (size_t)snprintf(out, out_bytes, "[");
  for (int i = 0; i < rank && at < out_bytes; i++) {
    at +=
        (size_t)snprintf(out + at, out_bytes - at, i == 0 ? "%lld" : ", %lld", (long long)shape[i]);
  }
  if (at < out_bytes) {
    snprintf(out + at, out_bytes - at, "]");
  }
  return out;
}

vise_status vise_tree_get_part(vise_tensor **out,
                               const vise_tree *t,
                               const char *name,
                               vise_dtype dtype,
                               int rank,
                               const int64_t *shape,
                               vise_err *err) {
  vise_tensor *part = find_part(t, name);
  if (part == NULL) {
    return vise_fail(err, VISE_EFORMAT, "%s: has no part '%s'", t->kind, name);
  }
  if (vise_tensor_dtype(part) != dtype) {
    return vise_fail(err, VISE_EFORMAT, "%s: part '%s' is %s, expected %s", t->kind, name,
                     vise_dtype_name(vise_tensor_dtype(part)), vise_dtype_name(dtype));
  }
  bool is_same = vise_tensor_rank(part) == rank && vise_tensor_is_contiguous(part);
  for (int i = 0; is_same && i < rank; i++) {
    is_same = vise_tensor_dim(part, i) == shape[i];
  }
  if (!is_same) {
    char got[160], expected[160];
    return vise_fail(err, VISE_EFORMAT, "%s: part '%s' is %s, expected %s", t->kind, name,
                     vise_tensor_shape_text(got, sizeof got, part),
                     shape_text(expected, sizeof expected, rank, shape));
  }
  *out = part;
  return VISE_OK;
}

int64_t vise_tree_bytes(const vise_tree *t) {
  int64_t bytes = 0;
  for (int i = 0; i < t->n_parts; i++) {
    bytes += (int64_t)vise_tensor_bytes(t->parts[i].tensor);
  }
  for (int i = 0; i < t->n_children; i++) {
    bytes += vise_tree_bytes(t->children[i]);
  }
  return bytes;
}
