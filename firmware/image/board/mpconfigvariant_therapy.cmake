list(APPEND MICROPY_DEF_BOARD CISTERNA_THERAPY=1)
list(APPEND MICROPY_SOURCE_BOARD ${MICROPY_BOARD_DIR}/therapy.c)

# Without the Python compiler a variable of this file is unused, which the port treats as an error.
set_source_files_properties(${MICROPY_DIR}/py/builtinimport.c PROPERTIES COMPILE_OPTIONS "-Wno-error=unused-variable")
