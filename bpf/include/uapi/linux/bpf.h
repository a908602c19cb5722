/* SPDX-License-Identifier: GPL-2.0-only */
/* Empty on purpose: BCC includes it, our programs need nothing from it. */
