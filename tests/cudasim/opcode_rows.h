/* The table of opcodes: one row a family of spellings, in the order in which they are tried.
 *
 *   OPCODE(pattern, operands, function, flow, flags)
 *
 * pattern: what PTX writes, without the operands. (a|b) is one of these, {a|b} one of these or nothing.
 * operands: one letter each, ? before one that may be missing:
 *   d  result of the first type's size        D  the same, or d|p
 *   W  result of twice that size              P  predicate, or p|q
 *   x  result register, as wide or wider      V  the same, or a vector of them
 *   a  source of the first type's size        s  of the second type's size
 *   w  of twice the first type's size         i  of 32 bits          l  of 64 bits
 *   y  source register, as wide or wider      v  the same, or a vector of them
 *   p  predicate, or !p                       M  member mask
 *   m  address                                n  number of a barrier
 *   Z  vector result       z  vector source   L  label               T  table of labels
 *   C  call                                   -  anything: not looked at
 * function: executes it over all lanes (exec_*.c). flow: CS_FLOW_*. flags: CS_OPCODE_*.
 *
 * Every row has golden values in golden_*.h; a test looks. */

#define INT_TYPES "(u16|u32|u64|s16|s32|s64)"
#define ALL_INTS "(u8|u16|u32|u64|s8|s16|s32|s64)"
#define COMPARE_INT "(eq|ne|lt|le|gt|ge|lo|ls|hi|hs)"
#define COMPARE_FLOAT "(eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan)"
#define BOOLEAN "{and|or|xor}"
#define DIRECTED "(rz|rm|rp)"
#define ROUNDINGS "(rn|rz|rm|rp)"
#define INTEGRAL "(rni|rzi|rmi|rpi)"
#define MEANING "{weak|volatile|relaxed|acquire|release|acq_rel}"
#define SCOPE "{cta|cluster|gpu|sys}"
#define SPACE "{global|shared|shared::cta|local|param|const}"
#define CACHES "{ca|cg|cs|lu|cv|wb|wt}"
#define EVICTION                                                                                   \
    "{L1::evict_normal|L1::evict_unchanged|L1::evict_first|L1::evict_last|L1::no_allocate}"
#define PREFETCH "{L2::64B|L2::128B|L2::256B}"
#define VECTOR "{v2|v4}"
#define MEMORY_TYPES "(b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64)"

/* sums and products of integers */
OPCODE("add.(u16|s16)", "daa", cs_add_b16, NEXT, 0)
OPCODE("add.(u32|s32)", "daa", cs_add_b32, NEXT, 0)
OPCODE("add.(u64|s64)", "daa", cs_add_b64, NEXT, 0)
OPCODE("add.sat.s32", "daa", cs_add_sat_s32, NEXT, CS_OPCODE_OWN_SAT)
OPCODE("sub.(u16|s16)", "daa", cs_sub_b16, NEXT, 0)
OPCODE("sub.(u32|s32)", "daa", cs_sub_b32, NEXT, 0)
OPCODE("sub.(u64|s64)", "daa", cs_sub_b64, NEXT, 0)
OPCODE("sub.sat.s32", "daa", cs_sub_sat_s32, NEXT, CS_OPCODE_OWN_SAT)
OPCODE("add.cc.(u32|s32)", "daa", cs_add_cc_b32, NEXT, CS_OPCODE_SETS_CARRY)
OPCODE("add.cc.(u64|s64)", "daa", cs_add_cc_b64, NEXT, CS_OPCODE_SETS_CARRY)
OPCODE("addc.(u32|s32)", "daa", cs_addc_b32, NEXT, CS_OPCODE_USES_CARRY)
OPCODE("addc.(u64|s64)", "daa", cs_addc_b64, NEXT, CS_OPCODE_USES_CARRY)
OPCODE("addc.cc.(u32|s32)", "daa", cs_addc_b32, NEXT, CS_OPCODE_SETS_CARRY | CS_OPCODE_USES_CARRY)
OPCODE("addc.cc.(u64|s64)", "daa", cs_addc_b64, NEXT, CS_OPCODE_SETS_CARRY | CS_OPCODE_USES_CARRY)
OPCODE("sub.cc.(u32|s32)", "daa", cs_sub_cc_b32, NEXT, CS_OPCODE_SETS_CARRY)
OPCODE("sub.cc.(u64|s64)", "daa", cs_sub_cc_b64, NEXT, CS_OPCODE_SETS_CARRY)
OPCODE("subc.(u32|s32)", "daa", cs_subc_b32, NEXT, CS_OPCODE_USES_CARRY)
OPCODE("subc.(u64|s64)", "daa", cs_subc_b64, NEXT, CS_OPCODE_USES_CARRY)
OPCODE("subc.cc.(u32|s32)", "daa", cs_subc_b32, NEXT, CS_OPCODE_SETS_CARRY | CS_OPCODE_USES_CARRY)
OPCODE("subc.cc.(u64|s64)", "daa", cs_subc_b64, NEXT, CS_OPCODE_SETS_CARRY | CS_OPCODE_USES_CARRY)
OPCODE("mul.lo.(u16|s16)", "daa", cs_mul_lo_b16, NEXT, 0)
OPCODE("mul.lo.(u32|s32)", "daa", cs_mul_lo_b32, NEXT, 0)
OPCODE("mul.lo.(u64|s64)", "daa", cs_mul_lo_b64, NEXT, 0)
OPCODE("mul.hi.u16", "daa", cs_mul_hi_u16, NEXT, 0)
OPCODE("mul.hi.s16", "daa", cs_mul_hi_s16, NEXT, 0)
OPCODE("mul.hi.u32", "daa", cs_mul_hi_u32, NEXT, 0)
OPCODE("mul.hi.s32", "daa", cs_mul_hi_s32, NEXT, 0)
OPCODE("mul.hi.u64", "daa", cs_mul_hi_u64, NEXT, 0)
OPCODE("mul.hi.s64", "daa", cs_mul_hi_s64, NEXT, 0)
OPCODE("mul.wide.u16", "Waa", cs_mul_wide_u16, NEXT, 0)
OPCODE("mul.wide.s16", "Waa", cs_mul_wide_s16, NEXT, 0)
OPCODE("mul.wide.u32", "Waa", cs_mul_wide_u32, NEXT, 0)
OPCODE("mul.wide.s32", "Waa", cs_mul_wide_s32, NEXT, 0)
OPCODE("mad.lo.(u16|s16)", "daaa", cs_mad_lo_b16, NEXT, 0)
OPCODE("mad.lo.(u32|s32)", "daaa", cs_mad_lo_b32, NEXT, 0)
OPCODE("mad.lo.(u64|s64)", "daaa", cs_mad_lo_b64, NEXT, 0)
OPCODE("mad.hi.u16", "daaa", cs_mad_hi_u16, NEXT, 0)
OPCODE("mad.hi.s16", "daaa", cs_mad_hi_s16, NEXT, 0)
OPCODE("mad.hi.u32", "daaa", cs_mad_hi_u32, NEXT, 0)
OPCODE("mad.hi.s32", "daaa", cs_mad_hi_s32, NEXT, 0)
OPCODE("mad.hi.u64", "daaa", cs_mad_hi_u64, NEXT, 0)
OPCODE("mad.hi.s64", "daaa", cs_mad_hi_s64, NEXT, 0)
OPCODE("mad.hi.sat.s32", "daaa", cs_mad_hi_sat_s32, NEXT, CS_OPCODE_OWN_SAT)
OPCODE("mad.wide.u16", "Waaw", cs_mad_wide_u16, NEXT, 0)
OPCODE("mad.wide.s16", "Waaw", cs_mad_wide_s16, NEXT, 0)
OPCODE("mad.wide.u32", "Waaw", cs_mad_wide_u32, NEXT, 0)
OPCODE("mad.wide.s32", "Waaw", cs_mad_wide_s32, NEXT, 0)
OPCODE("mul24.lo.u32", "daa", cs_mul24_lo_u32, NEXT, 0)
OPCODE("mul24.lo.s32", "daa", cs_mul24_lo_s32, NEXT, 0)
OPCODE("mad24.lo.u32", "daaa", cs_mad24_lo_u32, NEXT, 0)
OPCODE("mad24.lo.s32", "daaa", cs_mad24_lo_s32, NEXT, 0)
OPCODE("sad.u32", "daaa", cs_sad_u32, NEXT, 0)
OPCODE("sad.s32", "daaa", cs_sad_s32, NEXT, 0)
OPCODE("div.u16", "daa", cs_div_u16, NEXT, 0)
OPCODE("div.u32", "daa", cs_div_u32, NEXT, 0)
OPCODE("div.u64", "daa", cs_div_u64, NEXT, 0)
OPCODE("div.s16", "daa", cs_div_s16, NEXT, 0)
OPCODE("div.s32", "daa", cs_div_s32, NEXT, 0)
OPCODE("div.s64", "daa", cs_div_s64, NEXT, 0)
OPCODE("rem.u16", "daa", cs_rem_u16, NEXT, 0)
OPCODE("rem.u32", "daa", cs_rem_u32, NEXT, 0)
OPCODE("rem.u64", "daa", cs_rem_u64, NEXT, 0)
OPCODE("rem.s16", "daa", cs_rem_s16, NEXT, 0)
OPCODE("rem.s32", "daa", cs_rem_s32, NEXT, 0)
OPCODE("rem.s64", "daa", cs_rem_s64, NEXT, 0)

/* signs and order of integers */
OPCODE("abs.s16", "da", cs_abs_s16, NEXT, 0)
OPCODE("abs.s32", "da", cs_abs_s32, NEXT, 0)
OPCODE("abs.s64", "da", cs_abs_s64, NEXT, 0)
OPCODE("neg.s16", "da", cs_neg_s16, NEXT, 0)
OPCODE("neg.s32", "da", cs_neg_s32, NEXT, 0)
OPCODE("neg.s64", "da", cs_neg_s64, NEXT, 0)
OPCODE("min.u16", "daa", cs_min_u16, NEXT, 0)
OPCODE("min.u32", "daa", cs_min_u32, NEXT, 0)
OPCODE("min.u64", "daa", cs_min_u64, NEXT, 0)
OPCODE("min.s16", "daa", cs_min_s16, NEXT, 0)
OPCODE("min.s32", "daa", cs_min_s32, NEXT, 0)
OPCODE("min.s64", "daa", cs_min_s64, NEXT, 0)
OPCODE("max.u16", "daa", cs_max_u16, NEXT, 0)
OPCODE("max.u32", "daa", cs_max_u32, NEXT, 0)
OPCODE("max.u64", "daa", cs_max_u64, NEXT, 0)
OPCODE("max.s16", "daa", cs_max_s16, NEXT, 0)
OPCODE("max.s32", "daa", cs_max_s32, NEXT, 0)
OPCODE("max.s64", "daa", cs_max_s64, NEXT, 0)

/* logic, shifts, fields */
OPCODE("and.b16", "daa", cs_and_b16, NEXT, 0)
OPCODE("and.b32", "daa", cs_and_b32, NEXT, 0)
OPCODE("and.b64", "daa", cs_and_b64, NEXT, 0)
OPCODE("or.b16", "daa", cs_or_b16, NEXT, 0)
OPCODE("or.b32", "daa", cs_or_b32, NEXT, 0)
OPCODE("or.b64", "daa", cs_or_b64, NEXT, 0)
OPCODE("xor.b16", "daa", cs_xor_b16, NEXT, 0)
OPCODE("xor.b32", "daa", cs_xor_b32, NEXT, 0)
OPCODE("xor.b64", "daa", cs_xor_b64, NEXT, 0)
OPCODE("not.b16", "da", cs_not_b16, NEXT, 0)
OPCODE("not.b32", "da", cs_not_b32, NEXT, 0)
OPCODE("not.b64", "da", cs_not_b64, NEXT, 0)
OPCODE("cnot.b16", "da", cs_cnot_b16, NEXT, 0)
OPCODE("cnot.b32", "da", cs_cnot_b32, NEXT, 0)
OPCODE("cnot.b64", "da", cs_cnot_b64, NEXT, 0)
OPCODE("and.pred", "Ppp", cs_and_pred, NEXT, 0)
OPCODE("or.pred", "Ppp", cs_or_pred, NEXT, 0)
OPCODE("xor.pred", "Ppp", cs_xor_pred, NEXT, 0)
OPCODE("not.pred", "Pp", cs_not_pred, NEXT, 0)
OPCODE("shl.b16", "dai", cs_shl_b16, NEXT, 0)
OPCODE("shl.b32", "dai", cs_shl_b32, NEXT, 0)
OPCODE("shl.b64", "dai", cs_shl_b64, NEXT, 0)
OPCODE("shr.(u16|b16)", "dai", cs_shr_u16, NEXT, 0)
OPCODE("shr.(u32|b32)", "dai", cs_shr_u32, NEXT, 0)
OPCODE("shr.(u64|b64)", "dai", cs_shr_u64, NEXT, 0)
OPCODE("shr.s16", "dai", cs_shr_s16, NEXT, 0)
OPCODE("shr.s32", "dai", cs_shr_s32, NEXT, 0)
OPCODE("shr.s64", "dai", cs_shr_s64, NEXT, 0)
OPCODE("shf.l.wrap.b32", "daai", cs_shf_l_wrap, NEXT, 0)
OPCODE("shf.l.clamp.b32", "daai", cs_shf_l_clamp, NEXT, 0)
OPCODE("shf.r.wrap.b32", "daai", cs_shf_r_wrap, NEXT, 0)
OPCODE("shf.r.clamp.b32", "daai", cs_shf_r_clamp, NEXT, 0)
OPCODE("popc.b32", "Ia", cs_popc_b32, NEXT, 0)
OPCODE("popc.b64", "Ia", cs_popc_b64, NEXT, 0)
OPCODE("clz.b32", "Ia", cs_clz_b32, NEXT, 0)
OPCODE("clz.b64", "Ia", cs_clz_b64, NEXT, 0)
OPCODE("brev.b32", "da", cs_brev_b32, NEXT, 0)
OPCODE("brev.b64", "da", cs_brev_b64, NEXT, 0)
OPCODE("bfind{shiftamt}.u32", "Ia", cs_bfind_u32, NEXT, 0)
OPCODE("bfind{shiftamt}.u64", "Ia", cs_bfind_u64, NEXT, 0)
OPCODE("bfind{shiftamt}.s32", "Ia", cs_bfind_s32, NEXT, 0)
OPCODE("bfind{shiftamt}.s64", "Ia", cs_bfind_s64, NEXT, 0)
OPCODE("bfe.u32", "daii", cs_bfe_u32, NEXT, 0)
OPCODE("bfe.u64", "daii", cs_bfe_u64, NEXT, 0)
OPCODE("bfe.s32", "daii", cs_bfe_s32, NEXT, 0)
OPCODE("bfe.s64", "daii", cs_bfe_s64, NEXT, 0)
OPCODE("bfi.b32", "daaii", cs_bfi_b32, NEXT, 0)
OPCODE("bfi.b64", "daaii", cs_bfi_b64, NEXT, 0)
OPCODE("prmt.b32", "daaa", cs_prmt_b32, NEXT, 0)
OPCODE("prmt.b32.(f4e|b4e|rc8|ecl|ecr|rc16)", "daaa", cs_prmt_mode_b32, NEXT, 0)
OPCODE("lop3.b32", "daaai", cs_lop3_b32, NEXT, 0)

/* floats */
OPCODE("add{rn}{ftz}{sat}.f32", "daa", cs_add_f32, NEXT, 0)
OPCODE("add." DIRECTED "{ftz}{sat}.f32", "daa", cs_add_f32_directed, NEXT, 0)
OPCODE("add{rn}.f64", "daa", cs_add_f64, NEXT, 0)
OPCODE("add." DIRECTED ".f64", "daa", cs_add_f64_directed, NEXT, 0)
OPCODE("sub{rn}{ftz}{sat}.f32", "daa", cs_sub_f32, NEXT, 0)
OPCODE("sub." DIRECTED "{ftz}{sat}.f32", "daa", cs_sub_f32_directed, NEXT, 0)
OPCODE("sub{rn}.f64", "daa", cs_sub_f64, NEXT, 0)
OPCODE("sub." DIRECTED ".f64", "daa", cs_sub_f64_directed, NEXT, 0)
OPCODE("mul{rn}{ftz}{sat}.f32", "daa", cs_mul_f32, NEXT, 0)
OPCODE("mul." DIRECTED "{ftz}{sat}.f32", "daa", cs_mul_f32_directed, NEXT, 0)
OPCODE("mul{rn}.f64", "daa", cs_mul_f64, NEXT, 0)
OPCODE("mul." DIRECTED ".f64", "daa", cs_mul_f64_directed, NEXT, 0)
OPCODE("(fma|mad).rn{ftz}{sat}.f32", "daaa", cs_fma_f32, NEXT, 0)
OPCODE("(fma|mad)." DIRECTED "{ftz}{sat}.f32", "daaa", cs_fma_f32_directed, NEXT, 0)
OPCODE("(fma|mad).rn.f64", "daaa", cs_fma_f64, NEXT, 0)
OPCODE("(fma|mad)." DIRECTED ".f64", "daaa", cs_fma_f64_directed, NEXT, 0)
OPCODE("div.rn{ftz}.f32", "daa", cs_div_f32, NEXT, 0)
OPCODE("div." DIRECTED "{ftz}.f32", "daa", cs_div_f32_directed, NEXT, 0)
OPCODE("div.approx{ftz}.f32", "daa", cs_div_approx_f32, NEXT, 0)
OPCODE("div.full{ftz}.f32", "daa", cs_div_full_f32, NEXT, 0)
OPCODE("div.rn.f64", "daa", cs_div_f64, NEXT, 0)
OPCODE("div." DIRECTED ".f64", "daa", cs_div_f64_directed, NEXT, 0)
OPCODE("rcp.rn{ftz}.f32", "da", cs_rcp_f32, NEXT, 0)
OPCODE("rcp." DIRECTED "{ftz}.f32", "da", cs_rcp_f32_directed, NEXT, 0)
OPCODE("rcp.approx{ftz}.f32", "da", cs_rcp_approx_f32, NEXT, 0)
OPCODE("rcp.rn.f64", "da", cs_rcp_f64, NEXT, 0)
OPCODE("rcp." DIRECTED ".f64", "da", cs_rcp_f64_directed, NEXT, 0)
OPCODE("rcp.approx.ftz.f64", "da", cs_rcp_approx_f64, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("sqrt.rn{ftz}.f32", "da", cs_sqrt_f32, NEXT, 0)
OPCODE("sqrt." DIRECTED "{ftz}.f32", "da", cs_sqrt_f32_directed, NEXT, 0)
OPCODE("sqrt.approx{ftz}.f32", "da", cs_sqrt_approx_f32, NEXT, 0)
OPCODE("sqrt.rn.f64", "da", cs_sqrt_f64, NEXT, 0)
OPCODE("sqrt." DIRECTED ".f64", "da", cs_sqrt_f64_directed, NEXT, 0)
OPCODE("rsqrt.approx{ftz}.f32", "da", cs_rsqrt_approx_f32, NEXT, 0)
OPCODE("rsqrt.approx.ftz.f64", "da", cs_rsqrt_approx_f64, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("ex2.approx{ftz}.f32", "da", cs_ex2_approx_f32, NEXT, 0)
OPCODE("lg2.approx{ftz}.f32", "da", cs_lg2_approx_f32, NEXT, 0)
OPCODE("sin.approx{ftz}.f32", "da", cs_sin_approx_f32, NEXT, 0)
OPCODE("cos.approx{ftz}.f32", "da", cs_cos_approx_f32, NEXT, 0)
OPCODE("tanh.approx.f32", "da", cs_tanh_approx_f32, NEXT, 0)
OPCODE("neg{ftz}.f32", "da", cs_neg_f32, NEXT, 0)
OPCODE("neg.f64", "da", cs_neg_f64, NEXT, 0)
OPCODE("abs{ftz}.f32", "da", cs_abs_f32, NEXT, 0)
OPCODE("abs.f64", "da", cs_abs_f64, NEXT, 0)
OPCODE("copysign.f32", "daa", cs_copysign_f32, NEXT, 0)
OPCODE("copysign.f64", "daa", cs_copysign_f64, NEXT, 0)
OPCODE("min{ftz}.f32", "daa", cs_min_f32, NEXT, 0)
OPCODE("max{ftz}.f32", "daa", cs_max_f32, NEXT, 0)
OPCODE("min{ftz}.NaN.f32", "daa", cs_min_nan_f32, NEXT, 0)
OPCODE("max{ftz}.NaN.f32", "daa", cs_max_nan_f32, NEXT, 0)
OPCODE("min.f64", "daa", cs_min_f64, NEXT, 0)
OPCODE("max.f64", "daa", cs_max_f64, NEXT, 0)
OPCODE("testp.(finite|infinite|number|notanumber|normal|subnormal).f32", "Pa", cs_testp_f32, NEXT,
       0)
OPCODE("testp.(finite|infinite|number|notanumber|normal|subnormal).f64", "Pa", cs_testp_f64, NEXT,
       0)

/* halves */
OPCODE("add{rn}{ftz}{sat}.(f16|f16x2|bf16|bf16x2)", "daa", cs_add_half, NEXT,
       CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("sub{rn}{ftz}{sat}.(f16|f16x2|bf16|bf16x2)", "daa", cs_sub_half, NEXT,
       CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("mul{rn}{ftz}{sat}.(f16|f16x2|bf16|bf16x2)", "daa", cs_mul_half, NEXT,
       CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("fma.rn{ftz}{sat}{relu}.(f16|f16x2|bf16|bf16x2)", "daaa", cs_fma_half, NEXT,
       CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("min{ftz}{NaN}.(f16|f16x2|bf16|bf16x2)", "daa", cs_min_half, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("max{ftz}{NaN}.(f16|f16x2|bf16|bf16x2)", "daa", cs_max_half, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("neg{ftz}.(f16|f16x2|bf16|bf16x2)", "da", cs_neg_half, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("abs{ftz}.(f16|f16x2|bf16|bf16x2)", "da", cs_abs_half, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("ex2.approx{ftz}.(f16|f16x2|bf16|bf16x2)", "da", cs_ex2_half, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("tanh.approx.(f16|f16x2|bf16|bf16x2)", "da", cs_tanh_half, NEXT, CS_OPCODE_OWN_FTZ)

/* comparisons and selections */
OPCODE("setp." COMPARE_INT BOOLEAN "."
       "(b16|b32|b64|u16|u32|u64|s16|s32|s64)",
       "Paa?p", cs_setp, NEXT, 0)
OPCODE("setp." COMPARE_FLOAT BOOLEAN "{ftz}.(f32|f64)", "Paa?p", cs_setp, NEXT, 0)
OPCODE("set." COMPARE_INT BOOLEAN ".(u32|s32|f32).(b16|b32|b64|u16|u32|u64|s16|s32|s64)", "dss?p",
       cs_set, NEXT, 0)
OPCODE("set." COMPARE_FLOAT BOOLEAN "{ftz}.(u32|s32|f32).(f32|f64)", "dss?p", cs_set, NEXT,
       CS_OPCODE_FTZ_SOURCES)
OPCODE("selp.(b16|u16|s16|f16|bf16)", "daap", cs_selp_b16, NEXT, 0)
OPCODE("selp.(b32|u32|s32|f32)", "daap", cs_selp_b32, NEXT, 0)
OPCODE("selp.(b64|u64|s64|f64)", "daap", cs_selp_b64, NEXT, 0)
OPCODE("slct.(b16|u16|s16).s32", "daas", cs_slct_b16_s32, NEXT, 0)
OPCODE("slct.(b32|u32|s32|f32).s32", "daas", cs_slct_b32_s32, NEXT, 0)
OPCODE("slct.(b64|u64|s64|f64).s32", "daas", cs_slct_b64_s32, NEXT, 0)
OPCODE("slct{ftz}.(b16|u16|s16).f32", "daas", cs_slct_b16_f32, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("slct{ftz}.(b32|u32|s32|f32).f32", "daas", cs_slct_b32_f32, NEXT, CS_OPCODE_OWN_FTZ)
OPCODE("slct{ftz}.(b64|u64|s64|f64).f32", "daas", cs_slct_b64_f32, NEXT, CS_OPCODE_OWN_FTZ)

/* moves and conversions */
OPCODE("mov.(b32|b64)", "Za", cs_mov_unpack, NEXT, 0)
OPCODE("mov.(b32|b64)", "dz", cs_mov_pack, NEXT, 0)
OPCODE("mov.(b16|u16|s16|f16|bf16)", "da", cs_mov_b16, NEXT, 0)
OPCODE("mov.(b32|u32|s32|f32)", "da", cs_mov_b32, NEXT, 0)
OPCODE("mov.(b64|u64|s64|f64)", "da", cs_mov_b64, NEXT, 0)
OPCODE("mov.pred", "Pp", cs_mov_pred, NEXT, 0)
OPCODE("cvt.rn.bf16.f32", "ds", cs_cvt_rn_bf16_f32, NEXT, 0)
OPCODE("cvt.rn.bf16x2.f32", "dss", cs_cvt_rn_bf16x2_f32, NEXT, 0)
OPCODE("cvt{sat}." ALL_INTS "." ALL_INTS, "xy", cs_cvt_int_int, NEXT, CS_OPCODE_OWN_SAT)
OPCODE("cvt." INTEGRAL "{ftz}{sat}." ALL_INTS ".(f16|bf16|f32|f64)", "xs", cs_cvt_int_float, NEXT,
       CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("cvt." ROUNDINGS "{ftz}{sat}.(f16|bf16|f32|f64)." ALL_INTS, "dy", cs_cvt_float_int, NEXT,
       CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("cvt"
       "{rn|rz|rm|rp|rni|rzi|rmi|rpi}"
       "{relu}{ftz}{sat}.(f16|bf16|f32|f64).(f16|bf16|f32|f64)",
       "ds", cs_cvt_float_float, NEXT, CS_OPCODE_OWN_FTZ | CS_OPCODE_OWN_SAT)
OPCODE("cvt.(rn|rz|rna).tf32.f32", "ds", cs_cvt_tf32_f32, NEXT, 0)
OPCODE("cvt.(rn|rz){relu}.(f16x2|bf16x2).f32", "dss", cs_cvt_pair_f32, NEXT, 0)
OPCODE("cvta.to.(global|shared|local|param|const).(u64|u32)", "da", cs_cvta_to_u64, NEXT, 0)
OPCODE("cvta.(global|shared|local|param|const).u64", "da", cs_cvta_u64, NEXT, 0)
OPCODE("isspacep.(global|shared|local)", "Pl", cs_isspacep, NEXT, 0)

/* memory */
OPCODE("ld" MEANING SCOPE SPACE "{nc}" CACHES EVICTION PREFETCH VECTOR "." MEMORY_TYPES, "Vm",
       cs_ld, NEXT, CS_OPCODE_MEMORY)
OPCODE("ldu{global}" VECTOR "." MEMORY_TYPES, "Vm", cs_ld, NEXT, CS_OPCODE_MEMORY)
OPCODE("st" MEANING SCOPE SPACE CACHES EVICTION VECTOR "." MEMORY_TYPES, "mv", cs_st, NEXT,
       CS_OPCODE_MEMORY)
OPCODE("atom" MEANING SCOPE "{global|shared|shared::cta}.(add|min|max|inc|dec|and|or|xor|exch).("
       "b32|b64|u32|u64|s32|s64|f32|f64)",
       "dma", cs_atom, NEXT, CS_OPCODE_MEMORY)
OPCODE("atom" MEANING SCOPE "{global|shared|shared::cta}.(add).noftz.(f16|f16x2|bf16|bf16x2)",
       "dma", cs_atom, NEXT, CS_OPCODE_MEMORY)
OPCODE("atom" MEANING SCOPE "{global|shared|shared::cta}.cas.(b16|b32|b64)", "dmaa", cs_atom_cas,
       NEXT, CS_OPCODE_MEMORY)
OPCODE("red" MEANING SCOPE "{global|shared|shared::cta}.(add|min|max|inc|dec|and|or|xor).(b32|b64|"
       "u32|u64|s32|s64|f32|f64)",
       "ma", cs_atom, NEXT, CS_OPCODE_MEMORY)
OPCODE("red" MEANING SCOPE "{global|shared|shared::cta}.(add).noftz.(f16|f16x2|bf16|bf16x2)", "ma",
       cs_atom, NEXT, CS_OPCODE_MEMORY)
OPCODE("membar.(cta|gl|sys)", "", cs_fence, NEXT, CS_OPCODE_FENCE)
OPCODE("fence{sc|acq_rel}.(cta|cluster|gpu|sys)", "", cs_fence, NEXT, CS_OPCODE_FENCE)
OPCODE("prefetch{global|local}.(L1|L2)", "-", cs_nothing, NEXT, 0)
OPCODE("prefetchu.L1", "-", cs_nothing, NEXT, 0)

/* together */
OPCODE("shfl.sync.(up|down|bfly|idx).b32", "DaiiM", cs_shfl, MEET, 0)
OPCODE("vote.sync.(all|any|uni).pred", "PpM", cs_vote, MEET, 0)
OPCODE("vote.sync.ballot.b32", "dpM", cs_vote_ballot, MEET, 0)
OPCODE("match.any.sync.(b32|b64)", "IaM", cs_match_any, MEET, 0)
OPCODE("match.all.sync.(b32|b64)", "JaM", cs_match_all, MEET, 0)
OPCODE("redux.sync.(add|min|max|and|or|xor).(u32|s32|b32)", "daM", cs_redux, MEET, 0)
OPCODE("activemask.b32", "d", cs_activemask, NEXT, 0)
OPCODE("bar.warp.sync", "M", cs_bar_warp, MEET, 0)
OPCODE("bar{cta}.sync", "n", cs_nothing, BARRIER, 0)
OPCODE("barrier{cta}.sync{aligned}", "n", cs_nothing, BARRIER, 0)
OPCODE("bar{cta}.red.popc.u32", "Inp", cs_nothing, BARRIER, CS_OPCODE_REDUCES)
OPCODE("bar{cta}.red.(and|or).pred", "Pnp", cs_nothing, BARRIER, CS_OPCODE_REDUCES)
OPCODE("barrier{cta}.red.popc{aligned}.u32", "Inp", cs_nothing, BARRIER, CS_OPCODE_REDUCES)
OPCODE("barrier{cta}.red.(and|or){aligned}.pred", "Pnp", cs_nothing, BARRIER, CS_OPCODE_REDUCES)

/* control */
OPCODE("bra{uni}", "L", cs_nothing, JUMP, 0)
OPCODE("brx.idx{uni}", "iT", cs_nothing, TABLE, 0)
OPCODE("call{uni}", "C", cs_nothing, NEXT, CS_OPCODE_CALL)
OPCODE("ret{uni}", "", cs_nothing, EXIT, CS_OPCODE_RETURN)
OPCODE("exit", "", cs_nothing, EXIT, 0)
OPCODE("trap", "", cs_trap, TRAP, 0)
OPCODE("nanosleep.u32", "i", cs_nothing, NEXT, 0)

#undef INT_TYPES
#undef ALL_INTS
#undef COMPARE_INT
#undef COMPARE_FLOAT
#undef BOOLEAN
#undef DIRECTED
#undef ROUNDINGS
#undef INTEGRAL
#undef MEANING
#undef SCOPE
#undef SPACE
#undef CACHES
#undef EVICTION
#undef PREFETCH
#undef VECTOR
#undef MEMORY_TYPES
