// The ARMv6-M instructions that access only registers, memory and the SIO's divider and spin locks, in C for speed.
//
// The emulator's own core executes all others: in front of an instruction that accesses a peripheral or a special
// register, raises an exception or sleeps, `thumb_run` returns. Instructions and flags follow the ARMv6-M Architecture
// Reference Manual (DDI 0419); cycles are counted as in the emulator, so that both give the same times.

#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t *r;  // 16 registers, shared with the emulator's core
    uint8_t *rom, *flash, *sram;
    uint32_t n, z, c, v;
    uint32_t spin_locks;  // SIO, data sheet 2.3.1.3
    uint32_t dividend, divisor, quotient, remainder, csr;  // SIO, data sheet 2.3.1.5
    uint64_t cycles;
} core_t;

enum { ROM_END = 0x4000, FLASH = 0x10000000, SRAM = 0x20000000, SRAM_BYTES = 264 * 1024, SIO = 0xD0000000 };
enum { SP = 13, LR = 14, PC = 15 };

static uint8_t *memory(core_t *s, uint32_t address, int writing) {
    if (address - SRAM < SRAM_BYTES) return s->sram + (address - SRAM);
    if (writing) return 0;
    if ((address & 0xFC000000u) == FLASH) return s->flash + (address & 0xFFFFFF);
    if (address < ROM_END) return s->rom + address;
    return 0;
}

static void divide(core_t *s, int is_signed) {
    if (s->divisor == 0) {
        s->quotient = is_signed && (int32_t)s->dividend < 0 ? 1 : 0xFFFFFFFFu;
        s->remainder = s->dividend;
    } else if (!is_signed) {
        s->quotient = s->dividend / s->divisor;
        s->remainder = s->dividend % s->divisor;
    } else if (s->dividend == 0x80000000u && s->divisor == 0xFFFFFFFFu) {
        s->quotient = 0x80000000u;
        s->remainder = 0;
    } else {
        s->quotient = (uint32_t)((int32_t)s->dividend / (int32_t)s->divisor);
        s->remainder = (uint32_t)((int32_t)s->dividend % (int32_t)s->divisor);
    }
    s->csr = 3;
}

// Also called for accesses by the emulator's core. Returns 0 if the register is not one of these.
int sio_read(core_t *s, uint32_t offset, uint32_t *value) {
    if (offset >= 0x100 && offset < 0x180) {
        uint32_t bit = 1u << ((offset - 0x100) / 4);
        *value = s->spin_locks & bit ? 0 : bit;
        s->spin_locks |= bit;
        return 1;
    }
    switch (offset) {
        case 0x00: *value = 0; return 1;  // CPUID: core 0
        case 0x60: case 0x68: *value = s->dividend; return 1;
        case 0x64: case 0x6C: *value = s->divisor; return 1;
        case 0x70: *value = s->quotient; s->csr &= ~2u; return 1;
        case 0x74: *value = s->remainder; return 1;
        case 0x78: *value = s->csr; return 1;
    }
    return 0;
}

int sio_write(core_t *s, uint32_t offset, uint32_t value) {
    if (offset >= 0x100 && offset < 0x180) {
        s->spin_locks &= ~(1u << ((offset - 0x100) / 4));
        return 1;
    }
    switch (offset) {
        case 0x60: s->dividend = value; divide(s, 0); return 1;
        case 0x64: s->divisor = value; divide(s, 0); return 1;
        case 0x68: s->dividend = value; divide(s, 1); return 1;
        case 0x6C: s->divisor = value; divide(s, 1); return 1;
        case 0x70: s->quotient = value; s->csr = 3; return 1;
        case 0x74: s->remainder = value; s->csr = 3; return 1;
    }
    return 0;
}

// Loads and stores. Returns 0 if the address is not one of these. `extra`: cycles of the access beyond the first.
static int load(core_t *s, uint32_t address, int bytes, uint32_t *value, int *extra) {
    uint8_t *p = memory(s, address, 0);
    *extra = 1;
    if (p) {
        *value = 0;
        memcpy(value, p, bytes);
        return 1;
    }
    *extra = 0;
    return bytes == 4 && (address & 0xF0000000u) == SIO && sio_read(s, address - SIO, value);
}

static int store(core_t *s, uint32_t address, int bytes, uint32_t value, int *extra) {
    uint8_t *p = memory(s, address, 1);
    *extra = 1;
    if (p) {
        memcpy(p, &value, bytes);
        return 1;
    }
    *extra = 0;
    return bytes == 4 && (address & 0xF0000000u) == SIO && sio_write(s, address - SIO, value);
}

static inline uint32_t nz(core_t *s, uint32_t value) {
    s->n = value >> 31;
    s->z = value == 0;
    return value;
}

static inline uint32_t add(core_t *s, uint32_t a, uint32_t b, uint32_t carry) {
    uint64_t wide = (uint64_t)a + b + carry;
    uint32_t sum = (uint32_t)wide;
    s->c = wide >> 32 != 0;
    s->v = ((~(a ^ b)) & (a ^ sum)) >> 31;
    return nz(s, sum);
}

static inline int holds(core_t *s, unsigned condition) {
    int yes;
    switch (condition >> 1) {
        case 0: yes = s->z; break;
        case 1: yes = s->c; break;
        case 2: yes = s->n; break;
        case 3: yes = s->v; break;
        case 4: yes = s->c && !s->z; break;
        case 5: yes = s->n == s->v; break;
        default: yes = s->n == s->v && !s->z; break;
    }
    return condition & 1 ? !yes : yes;
}

static uint32_t shift(core_t *s, int kind, uint32_t value, unsigned by) {  // 0 left, 1 right, 2 arithmetic; by >= 0
    if (by == 0) return value;
    switch (kind) {
        case 0:
            s->c = by <= 32 ? value >> (32 - by) & 1 : 0;
            return by < 32 ? value << by : 0;
        case 1:
            s->c = by <= 32 ? (uint32_t)((uint64_t)value >> (by - 1)) & 1 : 0;
            return by < 32 ? value >> by : 0;
        default:
            if (by > 31) {
                s->c = value >> 31;
                return value >> 31 ? 0xFFFFFFFFu : 0;
            }
            s->c = value >> (by - 1) & 1;
            return (uint32_t)((int32_t)value >> by);
    }
}

// Data processing, 0100 00xx xxxx: register with register.
static void process(core_t *s, unsigned op) {
    uint32_t *r = s->r;
    unsigned d = op & 7, m = op >> 3 & 7;
    uint32_t a = r[d], b = r[m];
    switch (op >> 6 & 15) {
        case 0: r[d] = nz(s, a & b); break;
        case 1: r[d] = nz(s, a ^ b); break;
        case 2: r[d] = nz(s, shift(s, 0, a, b & 255)); break;
        case 3: r[d] = nz(s, shift(s, 1, a, b & 255)); break;
        case 4: r[d] = nz(s, shift(s, 2, a, b & 255)); break;
        case 5: r[d] = add(s, a, b, s->c); break;
        case 6: r[d] = add(s, a, ~b, s->c); break;
        case 7: {
            unsigned by = b & 31;
            uint32_t turned = by ? a >> by | a << (32 - by) : a;
            if (b & 255) s->c = turned >> 31;
            r[d] = nz(s, turned);
            break;
        }
        case 8: nz(s, a & b); break;
        case 9: r[d] = add(s, 0, ~b, 1); break;
        case 10: add(s, a, ~b, 1); break;
        case 11: add(s, a, b, 0); break;
        case 12: r[d] = nz(s, a | b); break;
        case 13: r[d] = nz(s, a * b); break;
        case 14: r[d] = nz(s, a & ~b); break;
        default: r[d] = nz(s, ~b); break;
    }
}

static const int WIDTH[8] = {4, 2, 1, -1, 4, 2, 1, -2};  // of 0101 xxx: str strh strb ldrsb ldr ldrh ldrb ldrsh

// Runs until `budget` cycles are used, or up to an instruction that is not handled here. Returns the cycles used.
uint64_t thumb_run(core_t *s, uint64_t budget) {
    uint32_t *r = s->r;
    uint64_t used = 0;
    while (used < budget) {
        uint32_t pc = r[PC] & ~1u, next = pc + 2, value;
        uint8_t *code = memory(s, pc, 0);
        uint16_t op;
        int cycles = 1, extra;
        if (!code) break;
        memcpy(&op, code, 2);
        unsigned d = op & 7, m = op >> 3 & 7;
        switch (op >> 11) {
            case 0x00: case 0x01: case 0x02: {  // shifts by an immediate; 0 means 32 but for lsl
                unsigned kind = op >> 11, by = op >> 6 & 31;
                r[d] = nz(s, shift(s, kind, r[m], kind && !by ? 32 : by));
                break;
            }
            case 0x03: {
                uint32_t b = op & 0x400 ? op >> 6 & 7 : r[op >> 6 & 7];
                r[d] = op & 0x200 ? add(s, r[m], ~b, 1) : add(s, r[m], b, 0);
                break;
            }
            case 0x04: r[op >> 8 & 7] = nz(s, op & 255); break;
            case 0x05: add(s, r[op >> 8 & 7], ~(uint32_t)(op & 255), 1); break;
            case 0x06: r[op >> 8 & 7] = add(s, r[op >> 8 & 7], op & 255, 0); break;
            case 0x07: r[op >> 8 & 7] = add(s, r[op >> 8 & 7], ~(uint32_t)(op & 255), 1); break;
            case 0x08: {
                if (!(op & 0x400)) {
                    process(s, op);
                    break;
                }
                unsigned hd = (op & 7) | (op >> 4 & 8), hm = op >> 3 & 15;
                uint32_t b = hm == PC ? pc + 4 : r[hm];
                if ((op & 0x300) == 0x100) {
                    add(s, r[hd], ~b, 1);
                } else if ((op & 0x300) == 0x300) {  // bx, blx
                    if (op & 7 || b >> 28 == 15) return used;
                    if (op & 0x80) r[LR] = next | 1;
                    next = b & ~1u;
                    cycles = 2;
                } else {  // add, mov
                    if (!(op & 0x200)) b += hd == PC ? pc + 4 : r[hd];
                    if (hd == PC) {
                        next = b & ~1u;
                        cycles = 2;
                    } else {
                        r[hd] = hd == SP ? b & ~3u : b;
                    }
                }
                break;
            }
            case 0x09:
                if (!load(s, ((pc + 4) & ~3u) + (op & 255) * 4, 4, &value, &extra)) return used;
                r[op >> 8 & 7] = value;
                cycles += extra;
                break;
            case 0x0A: case 0x0B: {
                unsigned what = op >> 9 & 7;
                uint32_t address = r[m] + r[op >> 6 & 7];
                if (what < 3) {
                    if (!store(s, address, WIDTH[what], r[d], &extra)) return used;
                } else {
                    int bytes = what == 3 ? 1 : what == 7 ? 2 : WIDTH[what];
                    if (!load(s, address, bytes, &value, &extra)) return used;
                    r[d] = what == 3 ? (uint32_t)(int8_t)value : what == 7 ? (uint32_t)(int16_t)value : value;
                }
                cycles += extra;
                break;
            }
            case 0x0C: case 0x0E: case 0x10: {  // str, strb, strh
                int bytes = op >> 12 == 6 ? 4 : op >> 12 == 7 ? 1 : 2;
                if (!store(s, r[m] + (op >> 6 & 31) * bytes, bytes, r[d], &extra)) return used;
                cycles += extra;
                break;
            }
            case 0x0D: case 0x0F: case 0x11: {
                int bytes = op >> 12 == 6 ? 4 : op >> 12 == 7 ? 1 : 2;
                if (!load(s, r[m] + (op >> 6 & 31) * bytes, bytes, &value, &extra)) return used;
                r[d] = value;
                cycles += extra;
                break;
            }
            case 0x12:
                if (!store(s, r[SP] + (op & 255) * 4, 4, r[op >> 8 & 7], &extra)) return used;
                cycles += extra;
                break;
            case 0x13:
                if (!load(s, r[SP] + (op & 255) * 4, 4, &value, &extra)) return used;
                r[op >> 8 & 7] = value;
                cycles += extra;
                break;
            case 0x14: r[op >> 8 & 7] = ((pc + 4) & ~3u) + (op & 255) * 4; break;
            case 0x15: r[op >> 8 & 7] = r[SP] + (op & 255) * 4; break;
            case 0x16: case 0x17: {
                unsigned kind = op >> 8 & 15;
                if (kind == 0) {
                    r[SP] = op & 0x80 ? r[SP] - (op & 127) * 4 : r[SP] + (op & 127) * 4;
                } else if (kind == 2) {
                    value = r[m];
                    switch (op >> 6 & 3) {
                        case 0: r[d] = (uint32_t)(int16_t)value; break;
                        case 1: r[d] = (uint32_t)(int8_t)value; break;
                        case 2: r[d] = value & 0xFFFF; break;
                        default: r[d] = value & 0xFF; break;
                    }
                } else if (kind == 4 || kind == 5) {  // push
                    unsigned list = op & 0x1FF;
                    uint32_t address = r[SP] - 4 * __builtin_popcount(list), at = address;
                    if (!memory(s, address, 1) || !memory(s, r[SP] - 1, 1)) return used;
                    for (int i = 0; i < 9; i++) {
                        if (list >> i & 1) {
                            memcpy(memory(s, at, 1), &r[i == 8 ? LR : i], 4);
                            at += 4;
                            cycles += i < 8;
                        }
                    }
                    r[SP] = address;
                } else if (kind == 12 || kind == 13) {  // pop
                    unsigned list = op & 0x1FF;
                    uint32_t at = r[SP], target = 0;
                    int count = __builtin_popcount(list);
                    if (!memory(s, at, 1) || !memory(s, at + 4 * count - 1, 1)) return used;
                    if (list & 0x100) {
                        memcpy(&target, memory(s, at + 4 * (count - 1), 0), 4);
                        if (target >> 28 == 15) return used;
                        next = target & ~1u;
                        cycles += 2;
                    }
                    for (int i = 0; i < 8; i++) {
                        if (list >> i & 1) {
                            memcpy(&r[i], memory(s, at, 0), 4);
                            at += 4;
                            cycles++;
                        }
                    }
                    r[SP] = r[SP] + 4 * count;
                } else if (kind == 10) {
                    value = r[m];
                    uint32_t swapped = __builtin_bswap32(value);
                    switch (op >> 6 & 3) {
                        case 0: r[d] = swapped; break;
                        case 1: r[d] = swapped >> 16 | swapped << 16; break;
                        case 3: r[d] = (uint32_t)(int16_t)(swapped >> 16); break;
                        default: return used;
                    }
                } else if (op != 0xBF00) {  // cps, bkpt, wfe, wfi, sev, yield: not handled; nop is
                    return used;
                }
                break;
            }
            case 0x18: case 0x19: {
                unsigned base = op >> 8 & 7, list = op & 255;
                int loads = op >> 11 & 1, count = __builtin_popcount(list);
                uint32_t at = r[base];
                if (!count || !memory(s, at, !loads) || !memory(s, at + 4 * count - 1, !loads)) return used;
                for (int i = 0; i < 8; i++) {
                    if (list >> i & 1) {
                        if (loads) memcpy(&r[i], memory(s, at, 0), 4);
                        else memcpy(memory(s, at, 1), &r[i], 4);
                        at += 4;
                        cycles++;
                    }
                }
                if (!(list >> base & 1)) r[base] = at;
                break;
            }
            case 0x1A: case 0x1B: {
                unsigned condition = op >> 8 & 15;
                if (condition >= 14) return used;  // udf, svc
                if (holds(s, condition)) {
                    next = pc + 4 + (uint32_t)((int32_t)(int8_t)(op & 255) * 2);
                    cycles = 2;
                }
                break;
            }
            case 0x1C:
                next = pc + 4 + (uint32_t)((int32_t)(op << 21) >> 20);
                cycles = 2;
                break;
            case 0x1E: {
                uint16_t low;
                uint8_t *second = memory(s, pc + 2, 0);
                if (!second) return used;
                memcpy(&low, second, 2);
                if ((low & 0xD000) == 0xD000) {  // bl
                    uint32_t sign = op >> 10 & 1, i1 = !(sign ^ (low >> 13 & 1)), i2 = !(sign ^ (low >> 11 & 1));
                    uint32_t offset = (sign ? 0xFF000000u : 0) | i1 << 23 | i2 << 22 | (uint32_t)(op & 0x3FF) << 12
                        | (uint32_t)(low & 0x7FF) << 1;
                    r[LR] = (pc + 4) | 1;
                    next = pc + 4 + offset;
                    cycles = 3;
                } else if (op == 0xF3BF && (low & 0xFFC0) == 0x8F40 && (low & 0x30) != 0x30) {  // dsb, dmb, isb
                    next = pc + 4;
                    cycles = 3;
                } else {
                    return used;
                }
                break;
            }
            default: return used;
        }
        r[PC] = next;
        used += cycles;
    }
    return used;
}
