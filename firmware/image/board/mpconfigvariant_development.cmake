list(APPEND MICROPY_DEF_BOARD CISTERNA_THERAPY=0)
list(APPEND MICROPY_SOURCE_BOARD ${MICROPY_BOARD_DIR}/development.c)
cmake_language(DEFER CALL target_link_options ${MICROPY_TARGET} PRIVATE -Wl,--wrap=pyexec_file_if_exists)
