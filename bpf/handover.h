/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Why the agent got a frame travels in the frame: the kernel's verdict on this message, not on what
 * the same source sends by the time the agent reads it.
 *
 * Included by BPF C and by C++.
 */
#ifndef STEM_HANDOVER_H
#define STEM_HANDOVER_H

#include <linux/types.h>

/*
 * In the place of the Ethernet header's source, which the agent has no use for. Written over every
 * frame that is handed over, so that no sender's address is taken for one; frames that are not
 * keep theirs, and what the agent gives back to the kernel has no Ethernet header.
 */
struct stem_handover {
  __u32 mark;   /* STEM_HANDOVER_MARK */
  __u16 reason; /* enum stem_reason */
} __attribute__((packed, aligned(2)));

#define STEM_HANDOVER_MARK 0x4d455453 /* "STEM", in the order of this machine */

#endif /* STEM_HANDOVER_H */
