// The build number as text in the image, for picotool, `strings` and `cisterna image show`.

#include "build_info.h"
#include "pico/binary_info.h"

bi_decl(bi_program_build_attribute(CISTERNA_BUILD_TEXT));
