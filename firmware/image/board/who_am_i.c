// Which build this is, as text in the image: for picotool, for `strings`, for whoever holds only the file.

#include "build_info.h"
#include "pico/binary_info.h"

bi_decl(bi_program_build_attribute(CISTERNA_WHO_AM_I));
