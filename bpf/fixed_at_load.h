/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the agent fixes when it loads a pipeline: constants, so that the verifier removes what they
 * make unreachable. Where this code runs in user space (tests/user_space) they are variables.
 */
#ifndef STEM_FIXED_AT_LOAD_H
#define STEM_FIXED_AT_LOAD_H

#ifndef FIXED_AT_LOAD
#define FIXED_AT_LOAD const volatile
#endif

#endif /* STEM_FIXED_AT_LOAD_H */
