# The PTX engine: a library of its own that needs no CUDA toolkit, and its tests, which run everywhere and sanitized.
add_library(ty_cudasim_engine STATIC
    ptx_lex.c ptx_type.c ptx_operand.c ptx_declare.c ptx_body.c ptx_parse.c
    opcodes.c decode.c decode_operand.c special.c
    exec_int.c exec_bits.c exec_float.c exec_compare.c exec_half.c exec_approx.c exec_cvt.c exec_memory.c exec_atomic.c
    exec_warp.c half.c
    engine.c schedule.c warp.c barrier.c access.c race.c race_order.c where.c coverage.c mutate.c)
target_include_directories(ty_cudasim_engine PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(ty_cudasim_engine PUBLIC ty_flags m)
set_target_properties(ty_cudasim_engine PROPERTIES C_VISIBILITY_PRESET hidden)
# Loops over 32 lanes, vectorised for any x86-64 of the last decade. Directed roundings change the processor's mode
# around the same loops, which the compiler must know.
set(hot exec_int.c exec_bits.c exec_float.c exec_compare.c exec_half.c exec_approx.c exec_cvt.c exec_memory.c
    exec_atomic.c exec_warp.c half.c warp.c access.c race.c)
set_source_files_properties(${hot} PROPERTIES COMPILE_OPTIONS
    "-O3;-mavx2;-mfma;-mbmi;-mpopcnt;-fno-math-errno;-fno-trapping-math")
set_property(SOURCE exec_float.c exec_cvt.c APPEND PROPERTY COMPILE_OPTIONS "-frounding-math")

if(BUILD_TESTING)
    ty_test(cudasim_engine engine SOURCES test_engine.c alone.c)
    # The engine without the runtime: alone.c stands in for memory and reports.
    ty_test(cudasim_engine golden SOURCES test_golden.c alone.c golden_integers.c golden_bits.c golden_floats.c
        golden_halves.c golden_compares.c golden_conversions.c golden_memory.c golden_warps.c)
endif()

# The device half of the bug zoo: kernels with one fault each, from the compiler that users have.
if(BUILD_TESTING AND TY_CUDA_FOUND)
    file(GLOB zoo CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/zoo/*.cu)
    set(zoo_names "")
    set(zoo_ptx "")
    foreach(source ${zoo})
        get_filename_component(name ${source} NAME_WE)
        set(ptx ${CMAKE_CURRENT_BINARY_DIR}/zoo/${name}.ptx)
        add_custom_command(OUTPUT ${ptx}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/zoo
            COMMAND ${TY_CUDA_NVCC} -ptx -arch=compute_80 -lineinfo -o ${ptx} ${source}
            DEPENDS ${source} COMMENT "nvcc zoo/${name}.cu" VERBATIM)
        list(APPEND zoo_ptx ${ptx})
        list(APPEND zoo_names "\"${name}\"")
    endforeach()
    list(JOIN zoo_names "," zoo_names)
    ty_test(cudasim_engine zoo SOURCES test_zoo_kernels.c alone.c ${zoo_ptx} LABELS gpu)
    target_compile_definitions(test_cudasim_engine_zoo PRIVATE ZOO_SOURCES="${CMAKE_CURRENT_SOURCE_DIR}/zoo"
        ZOO_PTX="${CMAKE_CURRENT_BINARY_DIR}/zoo" ZOO_NAMES=${zoo_names})
elseif(BUILD_TESTING)
    message(STATUS "cudasim: no CUDA toolkit, so no kernels with faults to catch: cudasim_engine.zoo is absent")
endif()
