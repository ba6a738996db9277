# Finds a CUDA 13 toolkit with the headers of cuBLASLt, cuDNN and NCCL, wherever NVIDIA, Debian or the wheels of PyPI
# put them, and says how .cu files are compiled. nvcc is called by custom commands: the CUDA language of CMake links a
# program while it looks at the compiler, for which the wheels lack half of the files.
#
# Sets       TY_CUDA_FOUND; if true, TY_CUDA_NVCC, TY_CUDA_TOP (root of the toolkit), TY_CUDA_VERSION,
#            TY_CUBLAS_VERSION, TY_CUDNN_VERSION, TY_NCCL_VERSION and TY_CUDA_LIBRARY_PATH (folders, with ":")
# Targets    ty_cuda_headers (cudart, cuBLASLt, cuDNN and NCCL: the plug-in opens their libraries), ty_cudart
# Functions  ty_cuda_objects(), ty_cuda_library()
set(TY_CUDA AUTO CACHE STRING "build the CUDA plug-in: AUTO (when a toolkit is found), ON or OFF")
set_property(CACHE TY_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TY_CUDA_ROOT "" CACHE PATH "root of the CUDA toolkit; scripts/setup --cuda prints one")
set(TY_CUDA_USUAL_ROOT /usr/local/cuda CACHE PATH "where NVIDIA's own packages put it")
mark_as_advanced(TY_CUDA_USUAL_ROOT)

# SASS for each of these, assembled from the PTX of compute_80, which is also what newer GPUs assemble for themselves
# and what the tests' simulator executes: what is tested is what ptxas is given. Turing alone has a PTX of its own.
# No words for ptxas: they would travel in the plug-in and be a GPU's own assembler's too (tests/gpu_static asks them).
set(TY_CUDA_GENCODE
    -gencode arch=compute_75,code=sm_75
    -gencode arch=compute_80,code=[sm_80,sm_90,sm_100,sm_120,compute_80])
set(cuda_flags ${TY_CUDA_GENCODE}
    -compress-mode=none -lineinfo -std=c++17 -O3
    -Wmissing-launch-bounds -Wdefault-stream-launch -Wreorder
    -Xcompiler -O2,-g1,-fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fstack-protector-strong,-fcf-protection=full
    -Xcompiler -Wall,-Wextra,-Wshadow)
if(TY_WERROR)
    list(APPEND cuda_flags -Werror all-warnings -Xcompiler -Werror)
endif()

# --- finding -------------------------------------------------------------------------------------

# The toolkit that nvcc belongs to (which may be a link or a script, but knows where it is) and its version.
function(ty_cuda_ask_nvcc nvcc top version)
    execute_process(COMMAND ${nvcc} --dryrun -c x.cu ERROR_VARIABLE said OUTPUT_QUIET)
    string(REGEX MATCH "#\\$ TOP=([^\n]+)" _ "${said}")
    get_filename_component(found "${CMAKE_MATCH_1}" REALPATH)
    set(${top} "${found}" PARENT_SCOPE)
    execute_process(COMMAND ${nvcc} --version OUTPUT_VARIABLE said ERROR_QUIET)
    string(REGEX MATCH "V([0-9]+\\.[0-9]+\\.[0-9]+)" _ "${said}")
    set(${version} "${CMAKE_MATCH_1}" PARENT_SCOPE)
endfunction()

# The version that three macros of a header give.
function(ty_cuda_version out header prefix)
    set(version "")
    foreach(part MAJOR MINOR PATCH)
        file(STRINGS "${header}" line REGEX "^#define ${prefix}_${part}[A-Z]* +[0-9]+")
        string(REGEX MATCH "[0-9]+[ \t]*$" number "${line}")
        string(STRIP "${number}" number)
        list(APPEND version "${number}")
    endforeach()
    list(JOIN version "." version)
    set(${out} "${version}" PARENT_SCOPE)
endfunction()

# Sets <NAME>_INCLUDE and <NAME>_LIBRARY of a package that is in the toolkit, in a folder that <NAME>_ROOT or the
# environment names, among Debian's files or in a wheel of its own beside the toolkit's. Wheels have no lib<x>.so.
macro(ty_cuda_find name top header library soname)
    string(TOLOWER ${name} wheel)
    set(places HINTS "${${name}_ROOT}" "$ENV{${name}_ROOT}" "$ENV{${name}_HOME}" ${top} ${top}/../${wheel} /usr)
    unset(${name}_INCLUDE)
    unset(${name}_LIBRARY)
    find_path(${name}_INCLUDE ${header} ${places} PATH_SUFFIXES include NO_DEFAULT_PATH NO_CACHE)
    find_library(${name}_LIBRARY NAMES ${library} lib${library}.so.${soname} ${places}
        PATH_SUFFIXES lib lib64 lib/x86_64-linux-gnu NO_DEFAULT_PATH NO_CACHE)
    if(NOT ${name}_INCLUDE OR NOT ${name}_LIBRARY)
        list(APPEND lacks "${header} or lib${library}.so.${soname}")
    endif()
endmacro()

# Tries one nvcc; sets TY_CUDA_FOUND in the caller, or adds to cuda_reasons why not.
macro(ty_cuda_try nvcc)
    ty_cuda_ask_nvcc(${nvcc} top version)
    set(lacks "")
    if(NOT version MATCHES "^13\\.")
        list(APPEND cuda_reasons "${nvcc} is version ${version}, want 13")
    else()
        ty_cuda_find(CUDART ${top} cuda_runtime_api.h cudart 13)
        ty_cuda_find(CUBLAS ${top} cublasLt.h cublasLt 13)
        ty_cuda_find(CUDNN ${top} cudnn_graph.h cudnn 9)
        ty_cuda_find(NCCL ${top} nccl.h nccl 2)
        if(lacks)
            list(JOIN lacks ", " lacks)
            list(APPEND cuda_reasons "${top} has no ${lacks}")
        else()
            set(TY_CUDA_FOUND TRUE)
            set(TY_CUDA_NVCC ${nvcc} CACHE INTERNAL "the nvcc in use")
            set(TY_CUDA_TOP ${top})
            set(TY_CUDA_VERSION ${version})
        endif()
    endif()
endmacro()

set(TY_CUDA_FOUND FALSE)
set(cuda_reasons "")
set(nvccs "")
if(TY_CUDA STREQUAL OFF)
    list(APPEND cuda_reasons "TY_CUDA is OFF")
else()
    find_program(nvcc_on_path nvcc PATHS ENV PATH NO_DEFAULT_PATH NO_CACHE)
    foreach(root "${TY_CUDA_ROOT}" "$ENV{CUDA_HOME}" "$ENV{CUDA_PATH}")
        if(root)
            list(APPEND nvccs ${root}/bin/nvcc)
        endif()
    endforeach()
    if(NOT TY_CUDA_ROOT)
        list(APPEND nvccs ${nvcc_on_path} ${TY_CUDA_USUAL_ROOT}/bin/nvcc)
    endif()
    foreach(nvcc ${nvccs})
        if(NOT TY_CUDA_FOUND AND EXISTS ${nvcc})
            ty_cuda_try(${nvcc})
        endif()
    endforeach()
    if(NOT cuda_reasons)
        list(APPEND cuda_reasons "found no nvcc")
    endif()
endif()
if(NOT TY_CUDA_FOUND)
    list(JOIN cuda_reasons "; " cuda_reasons)
    set(said "CUDA: plug-in not built: ${cuda_reasons}")
    if(TY_CUDA STREQUAL ON OR TY_CUDA_ROOT)
        message(FATAL_ERROR "${said}")
    endif()
    if(NOT TY_CUDA STREQUAL OFF)
        string(APPEND said ". To get one: cmake -DTY_CUDA_ROOT=\$(scripts/setup --cuda)")
    endif()
    message(STATUS "${said}")
    return()
endif()

ty_cuda_version(TY_CUBLAS_VERSION ${CUBLAS_INCLUDE}/cublas_api.h CUBLAS_VER)
ty_cuda_version(TY_CUDNN_VERSION ${CUDNN_INCLUDE}/cudnn_version.h CUDNN)
ty_cuda_version(TY_NCCL_VERSION ${NCCL_INCLUDE}/nccl.h NCCL)
set(TY_CUDA_LIBRARY_PATH "")
foreach(library CUDART CUBLAS CUDNN NCCL)
    get_filename_component(folder ${${library}_LIBRARY} DIRECTORY)
    list(APPEND TY_CUDA_LIBRARY_PATH ${folder})
endforeach()
list(REMOVE_DUPLICATES TY_CUDA_LIBRARY_PATH)
list(JOIN TY_CUDA_LIBRARY_PATH ":" TY_CUDA_LIBRARY_PATH)
find_program(TY_CUDA_CXX NAMES g++ REQUIRED)
mark_as_advanced(TY_CUDA_CXX)
message(STATUS "CUDA: ${TY_CUDA_VERSION} in ${TY_CUDA_TOP}, cuBLASLt ${TY_CUBLAS_VERSION}, "
               "cuDNN ${TY_CUDNN_VERSION}, NCCL ${TY_NCCL_VERSION}")

# --- targets -------------------------------------------------------------------------------------

add_library(ty_cuda_headers INTERFACE)
target_include_directories(ty_cuda_headers SYSTEM INTERFACE
    ${CUDART_INCLUDE} ${CUBLAS_INCLUDE} ${CUDNN_INCLUDE} ${NCCL_INCLUDE})
# By its file, not by -lcudart: wheels have only libcudart.so.13. Shared, so that what is preloaded can take its place.
add_library(ty_cudart SHARED IMPORTED GLOBAL)
set_target_properties(ty_cudart PROPERTIES IMPORTED_LOCATION ${CUDART_LIBRARY})
target_link_libraries(ty_cudart INTERFACE ty_cuda_headers)

# ty_cuda_objects(OUT NAME SOURCES a.cu ... OPTIONS ...): compiles .cu files and gives the objects, which a C target of
# this folder that links ty_cudart and stdc++ may have among its sources. NAME is a folder for them. A source's property
# COMPILE_OPTIONS is nvcc's.
function(ty_cuda_objects out name)
    cmake_parse_arguments(CU "" "" "SOURCES;OPTIONS" ${ARGN})
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name}.cuda)
    file(MAKE_DIRECTORY ${folder})
    set(objects "")
    foreach(source ${CU_SOURCES})
        get_filename_component(path ${source} ABSOLUTE)
        get_filename_component(stem ${source} NAME)
        set(object ${folder}/${stem}.o)
        set(own "")
        get_property(own SOURCE ${source} PROPERTY COMPILE_OPTIONS)
        add_custom_command(OUTPUT ${object}
            COMMAND ${TY_CUDA_NVCC} -ccbin ${TY_CUDA_CXX} ${cuda_flags} -I${PROJECT_SOURCE_DIR}
                ${CU_OPTIONS} ${own} -c ${path} -o ${object} -MD -MT ${object} -MF ${object}.d
            DEPENDS ${path} ${TY_CUDA_NVCC} DEPFILE ${object}.d COMMENT "nvcc ${source}" VERBATIM)
        list(APPEND objects ${object})
    endforeach()
    set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    set(${out} ${objects} PARENT_SCOPE)
endfunction()

# ty_cuda_library(TARGET SOURCES a.cu ... b.c ... EXPORTS "symbol;..." LINKS ty_base ... OPTIONS ...): a plug-in
# lib<TARGET>.so beside the binary that opens it. It links cudart alone of CUDA and shows nothing but EXPORTS, not even
# what the static rooms in it define. OPTIONS are nvcc's.
function(ty_cuda_library target)
    cmake_parse_arguments(CU "" "" "SOURCES;EXPORTS;LINKS;OPTIONS" ${ARGN})
    set(kernels ${CU_SOURCES})
    set(host ${CU_SOURCES})
    list(FILTER kernels INCLUDE REGEX "\\.cu$")
    list(FILTER host EXCLUDE REGEX "\\.cu$")
    ty_cuda_objects(objects ${target} SOURCES ${kernels} OPTIONS ${CU_OPTIONS})
    set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
    list(JOIN CU_EXPORTS "; " exports)
    file(CONFIGURE OUTPUT ${script} CONTENT "{ global: ${exports}; local: *; };\n")
    add_library(${target} MODULE ${host} ${objects})
    # nvcc's launch stubs guard their statics, which is libstdc++'s business.
    target_link_libraries(${target} PRIVATE ${CU_LINKS} ty_cudart stdc++)
    target_link_options(${target} PRIVATE -Wl,--version-script=${script} -Wl,-z,defs)
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C LINK_DEPENDS ${script}
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/cli INSTALL_RPATH_USE_LINK_PATH ON)
    install(TARGETS ${target} LIBRARY DESTINATION lib/tiltyard)
endfunction()
