# ty_gpu_test(SUBJECT PROGRAM target ARGS a ... SCHEDULES 8 PROFILE a100 DEVICES 1 RANKS 0 LABELS l ...
#             ENVIRONMENT NAME=value ...)
# Runs an existing program on simulated GPUs as the test gpu.SUBJECT: TY_TEST_DEVICE is cuda, TILTYARD_CUDA_PLUGIN the
# plug-in of this build. Nothing is registered where there is no simulator: without a CUDA toolkit, and in sanitized
# builds, whose handlers and shadows claim the memory that the simulator needs.
function(ty_gpu_test subject)
    if(NOT TARGET cudasim OR TY_SANITIZE)
        return()
    endif()
    cmake_parse_arguments(GPU "" "PROGRAM;SCHEDULES;PROFILE;DEVICES;RANKS" "ARGS;LABELS;ENVIRONMENT" ${ARGN})
    set(words "")
    foreach(word SCHEDULES PROFILE DEVICES RANKS)
        if(GPU_${word})
            string(TOLOWER ${word} option)
            list(APPEND words --${option} ${GPU_${word}})
        endif()
    endforeach()
    add_test(NAME gpu.${subject}
        COMMAND ${PROJECT_SOURCE_DIR}/tests/cudasim/run --library $<TARGET_FILE:cudasim> ${words}
            -- $<TARGET_FILE:${GPU_PROGRAM}> ${GPU_ARGS}
        WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    set(environment TY_TEST_DEVICE=cuda ${GPU_ENVIRONMENT})
    if(TARGET tiltyard_cuda)
        list(APPEND environment TILTYARD_CUDA_PLUGIN=$<TARGET_FILE:tiltyard_cuda>)
    endif()
    set_tests_properties(gpu.${subject} PROPERTIES LABELS "gpu;${GPU_LABELS}" ENVIRONMENT "${environment}")
endfunction()
