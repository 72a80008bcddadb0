/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weight/tree.h -- what a weight saves itself as: kind, attributes, parts and children.
 *
 * The artifact stores trees and knows no kind; a kind loads itself from a tree and knows no file.
 *
 *   kind "quant"   attributes { format = "int", bits = 4, group = 64, ... }
 *                  parts { codes: u8 [m, k / 2], scales: f16 [m, k / 64] }   children {}
 *   kind "sum"     children { terms... }
 */
#ifndef VISE_WEIGHT_TREE_H
#define VISE_WEIGHT_TREE_H

#include "core/status.h"
#include "tensor/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  VISE_TREE_NAME = 32,
  VISE_TREE_ATTRIBUTES = 24,
  VISE_TREE_PARTS = 8,
  VISE_TREE_CHILDREN = 64,
  VISE_TREE_DEPTH = 16,      /* levels */
  VISE_TREE_NODES_MAX = 4096 /* in all */
};

typedef enum vise_attribute_type {
  VISE_ATTRIBUTE_INT,
  VISE_ATTRIBUTE_REAL,
  VISE_ATTRIBUTE_TEXT
} vise_attribute_type;

typedef struct vise_attribute {
  char name[VISE_TREE_NAME];
  vise_attribute_type type;
  int64_t i;
  double r;
  char text[VISE_TREE_NAME];
} vise_attribute;

typedef struct vise_part {
  char name[VISE_TREE_NAME];
  vise_tensor *tensor; /* retained, contiguous */
} vise_part;

typedef struct vise_tree vise_tree;
struct vise_tree {
  char kind[VISE_TREE_NAME];
  int64_t m, k; /* shape of the weight */
  int n_attributes, n_parts, n_children;
  vise_attribute attributes[VISE_TREE_ATTRIBUTES];
  vise_part parts[VISE_TREE_PARTS];
  vise_tree *children[VISE_TREE_CHILDREN]; /* owned */
};

vise_status vise_tree_create(vise_tree **out, const char *kind, int64_t m, int64_t k, vise_err *err)
    VISE_MUST_USE;
void vise_tree_free(vise_tree *t); /* accepts NULL; releases parts, frees children */

/* Add to the end. Names are unique among their own; a tensor is retained, a child is taken over.
   Errors: VISE_EARG when there is no room or the name is too long. */
vise_status
vise_tree_add_int(vise_tree *t, const char *name, int64_t value, vise_err *err) VISE_MUST_USE;
vise_status
vise_tree_add_real(vise_tree *t, const char *name, double value, vise_err *err) VISE_MUST_USE;
vise_status
vise_tree_add_text(vise_tree *t, const char *name, const char *value, vise_err *err) VISE_MUST_USE;
vise_status vise_tree_add_part(vise_tree *t, const char *name, vise_tensor *tensor, vise_err *err)
    VISE_MUST_USE;
vise_status vise_tree_add_child(vise_tree *t, vise_tree *child, vise_err *err) VISE_MUST_USE;

/* Find, or fail with EFORMAT "<kind>: has no attribute 'bits'". Results are borrowed. */
vise_status
vise_tree_get_int(int64_t *out, const vise_tree *t, const char *name, vise_err *err) VISE_MUST_USE;
vise_status
vise_tree_get_real(double *out, const vise_tree *t, const char *name, vise_err *err) VISE_MUST_USE;
vise_status vise_tree_get_text(const char **out,
                               const vise_tree *t,
                               const char *name,
                               vise_err *err) VISE_MUST_USE;

/* The part, checked to have this dtype and shape (EFORMAT otherwise). Borrowed. */
vise_status vise_tree_get_part(vise_tensor **out,
                               const vise_tree *t,
                               const char *name,
                               vise_dtype dtype,
                               int rank,
                               const int64_t *shape,
                               vise_err *err) VISE_MUST_USE;

/* Bytes of all parts, children included. */
int64_t vise_tree_bytes(const vise_tree *t);

#endif
