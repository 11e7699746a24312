/*
 * The loops over single values behind lakeshift.lake.checksum and lakeshift.lake.farm, where the hashes are specified.
 *
 * C11 for little-endian machines; nothing is allocated, kept, or called outside this file. Values come as Arrow has them
 * (https://arrow.apache.org/docs/format/Columnar.html), aligned or not: offsets of 4 or 8 bytes, one more than values,
 * and a bitmap of the valid ones that begins with its bit `bit`, or none where no value is NULL.
 */

#include <stdint.h>

typedef uint64_t u64;

/* What the library was made of, so that a test can tell an old one. */
const u64 source = SOURCE;

enum { KEPT_KEYS = 64, LONGEST = 512 };
enum { INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT };

static const u64 NAN_BITS = 0x7ff8000000000000;
static u64 kept_keys[KEPT_KEYS];

typedef struct {
    const uint8_t *offsets, *data, *validity;
    int64_t count, bit;
    int32_t wide;
} Texts;

static inline u64 mix(u64 x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9;
    x ^= x >> 27;
    x *= 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static inline u64 fold(u64 word) {
    u64 y = word * 0xd6e8feb86659fd93;
    return y ^ y >> 32;
}

static inline u64 length_of(u64 n) {
    return n * 0xa24baed4963ee407;
}

static inline u64 made_key(u64 k) {
    return mix((k + 1) * 0x9e3779b97f4a7c15) | 1;
}

static inline u64 key(u64 k) {
    return k < KEPT_KEYS ? kept_keys[k] : made_key(k);
}

__attribute__((constructor)) static void make_keys(void) {
    for (u64 k = 0; k < KEPT_KEYS; k++) kept_keys[k] = made_key(k);
}

static inline u64 word_at(const uint8_t *at) {
    u64 word;
    __builtin_memcpy(&word, at, 8);
    return word;
}

/* The first `bytes` < 8 bytes as a word; nothing behind `end` is touched. */
static inline u64 part_at(const uint8_t *at, u64 bytes, const uint8_t *end) {
    if (end - at >= 8) return word_at(at) & (((u64)1 << (bytes * 8)) - 1);
    u64 word = 0;
    for (u64 i = 0; i < bytes; i++) word |= (u64)at[i] << (8 * i);
    return word;
}

static inline u64 half_at(const uint8_t *at) {
    uint32_t half;
    __builtin_memcpy(&half, at, 4);
    return half;
}

static inline int64_t offset(const Texts *texts, int64_t place) {
    return (int64_t)(texts->wide ? word_at(texts->offsets + 8 * place) : half_at(texts->offsets + 4 * place));
}

static inline int valid(const Texts *texts, int64_t place) {
    int64_t at = texts->bit + place;
    return !texts->validity || (texts->validity[at >> 3] >> (at & 7) & 1);
}

#define EACH(type, number)                                                 \
    for (int64_t i = 0; i < count; i++) {                                  \
        type value;                                                        \
        __builtin_memcpy(&value, values + i * sizeof value, sizeof value); \
        out[i] = mix(seed + (u64)(number));                                \
    }                                                                      \
    break

/* Integers, and floats as their bits. */
void hash_numbers(const uint8_t *values, int64_t count, int32_t kind, u64 seed, u64 *out) {
    switch (kind) {
    case INT8: EACH(int8_t, (int64_t)value);
    case INT16: EACH(int16_t, (int64_t)value);
    case INT32: EACH(int32_t, (int64_t)value);
    case INT64: EACH(int64_t, value);
    case UINT8: EACH(uint8_t, value);
    case UINT16: EACH(uint16_t, value);
    case UINT32: EACH(uint32_t, value);
    case UINT64: EACH(u64, value);
    case FLOAT: EACH(u64, (value & ~(u64)0 >> 1) > (u64)0x7ff << 52 ? NAN_BITS : value);
    }
}

/* Unscaled numbers of `width` words. */
void hash_decimals(const uint8_t *words, int64_t count, int32_t width, u64 seed, u64 *out) {
    for (int64_t i = 0; i < count; i++) {
        u64 sum = seed;
        for (int32_t k = 0; k < width; k++) sum += kept_keys[k] * fold(word_at(words + 8 * (i * width + k)));
        out[i] = mix(sum);
    }
}

/* Texts; of those of more than LONGEST bytes only seed and length, not mixed. How many these are is returned. */
int64_t hash_texts(const Texts *texts, u64 seed, u64 *out) {
    int64_t left = 0;
    const uint8_t *end = texts->data + offset(texts, texts->count);
    for (int64_t i = 0; i < texts->count; i++) {
        const uint8_t *at = texts->data + offset(texts, i);
        u64 bytes = (u64)(offset(texts, i + 1) - offset(texts, i));
        u64 sum = seed + length_of(bytes);
        if (bytes > LONGEST) {
            out[i] = sum;
            left += valid(texts, i);
            continue;
        }
        u64 whole = bytes >> 3;
        for (u64 k = 0; k < whole; k++) sum += kept_keys[k] * fold(word_at(at + 8 * k));
        if (bytes & 7) sum += key(whole) * fold(part_at(at + 8 * whole, bytes & 7, end));
        out[i] = mix(sum);
    }
    return left;
}

/* Lists, of the hashes of their elements; `bounds` has one more than lists. */
void hash_lists(const u64 *hashes, const int64_t *bounds, int64_t count, u64 seed, u64 *out) {
    for (int64_t i = 0; i < count; i++) {
        const u64 *element = hashes + bounds[i];
        u64 size = (u64)(bounds[i + 1] - bounds[i]), sum = seed + length_of(size);
        for (u64 k = 0; k < size; k++) sum += key(k) * element[k];
        out[i] = mix(sum);
    }
}

/* Values of a dictionary, by the hashes of its entries. A code without entry, as NULLs may have, gives 0. */
void hash_codes(const uint8_t *codes, int64_t count, const u64 *entries, int64_t size, u64 *out) {
    for (int64_t i = 0; i < count; i++) {
        u64 code = half_at(codes + 4 * i);
        out[i] = code < (u64)size ? entries[code] : 0;
    }
}

/* sums += key * hashes */
void add_keyed(u64 *sums, const u64 *hashes, int64_t count, u64 one) {
    for (int64_t i = 0; i < count; i++) sums[i] += one * hashes[i];
}

void mix_all(u64 *numbers, int64_t count) {
    for (int64_t i = 0; i < count; i++) numbers[i] = mix(numbers[i]);
}

/* `number` in the place of every value that is NULL. */
void put_nulls(u64 *out, const uint8_t *validity, int64_t bit, int64_t count, u64 number) {
    for (int64_t i = 0; i < count; i++)
        if (!(validity[(bit + i) >> 3] >> ((bit + i) & 7) & 1)) out[i] = number;
}

static inline u64 head_of(const uint8_t *at, u64 bytes, const uint8_t *end) {
    return __builtin_bswap64(bytes >= 8 ? word_at(at) : part_at(at, bytes, end));
}

/* Below 0 when the first text stands before the second. */
static int order(const uint8_t *a, int64_t a_bytes, const uint8_t *b, int64_t b_bytes) {
    int64_t both = a_bytes < b_bytes ? a_bytes : b_bytes;
    for (int64_t i = 0; i < both; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

/* Places of the least and of the greatest text and the bytes of the longest; places are -1 where all are NULL. */
void text_extremes(const Texts *texts, int64_t *found) {
    int64_t least = -1, greatest = -1, longest = 0;
    u64 low = 0, high = 0;
    const uint8_t *data = texts->data, *end = data + offset(texts, texts->count);
    for (int64_t i = 0; i < texts->count; i++) {
        if (!valid(texts, i)) continue;
        int64_t start = offset(texts, i), bytes = offset(texts, i + 1) - start;
        u64 head = head_of(data + start, (u64)bytes, end);
        if (bytes > longest) longest = bytes;
        if (least < 0) {
            least = greatest = i;
            low = high = head;
            continue;
        }
        if (head < low || (head == low && order(data + start, bytes, data + offset(texts, least),
                                                offset(texts, least + 1) - offset(texts, least)) < 0)) {
            least = i;
            low = head;
        }
        if (head > high || (head == high && order(data + start, bytes, data + offset(texts, greatest),
                                                  offset(texts, greatest + 1) - offset(texts, greatest)) > 0)) {
            greatest = i;
            high = head;
        }
    }
    found[0] = least;
    found[1] = greatest;
    found[2] = longest;
}

/* FarmHash: https://github.com/google/farmhash, farmhashna::Hash64. */

static const u64 K0 = 0xc3a5c85c97cb3127, K1 = 0xb492b66fbe98f273, K2 = 0x9ae16a3b2f90404f;

static inline u64 turned(u64 value, int by) {
    return value >> by | value << (64 - by);
}

static inline u64 shifted(u64 value) {
    return value ^ value >> 47;
}

static inline u64 farm_mix(u64 u, u64 v, u64 factor) {
    u64 a = shifted((u ^ v) * factor);
    return shifted((v ^ a) * factor) * factor;
}

static inline u64 farm_to_16(const uint8_t *at, u64 bytes) {
    u64 factor = bytes * 2 + K2;
    if (bytes >= 8) {
        u64 a = word_at(at) + K2, b = word_at(at + bytes - 8);
        return farm_mix(turned(b, 37) * factor + a, (turned(a, 25) + b) * factor, factor);
    }
    if (bytes >= 4) return farm_mix(bytes + (half_at(at) << 3), half_at(at + bytes - 4), factor);
    if (!bytes) return K2;
    u64 y = at[0] + ((u64)at[bytes >> 1] << 8), z = bytes + ((u64)at[bytes - 1] << 2);
    return shifted(y * K2 ^ z * K0) * K2;
}

static inline u64 farm_to_32(const uint8_t *at, u64 bytes) {
    u64 factor = bytes * 2 + K2;
    u64 a = word_at(at) * K1, b = word_at(at + 8);
    u64 c = word_at(at + bytes - 8) * factor, d = word_at(at + bytes - 16) * K2;
    return farm_mix(turned(a + b, 43) + turned(c, 30) + d, a + turned(b + K2, 18) + c, factor);
}

static inline u64 farm_to_64(const uint8_t *at, u64 bytes) {
    u64 factor = bytes * 2 + K2;
    u64 a = word_at(at) * K2, b = word_at(at + 8);
    u64 c = word_at(at + bytes - 8) * factor, d = word_at(at + bytes - 16) * K2;
    u64 y = turned(a + b, 43) + turned(c, 30) + d;
    u64 z = farm_mix(y, a + turned(b + K2, 18) + c, factor);
    u64 e = word_at(at + 16) * factor, f = word_at(at + 24);
    u64 g = (y + word_at(at + bytes - 32)) * factor, h = (z + word_at(at + bytes - 24)) * factor;
    return farm_mix(turned(e + f, 43) + turned(g, 30) + h, e + turned(f + a, 18) + g, factor);
}

typedef struct {
    u64 first, second;
} Pair;

typedef struct {
    u64 x, y, z;
    Pair v, w;
} State;

static inline Pair weak(const uint8_t *at, u64 a, u64 b) {
    u64 z = word_at(at + 24);
    a += word_at(at);
    b = turned(b + a + z, 21);
    u64 c = a;
    a += word_at(at + 8) + word_at(at + 16);
    return (Pair){a + z, b + turned(a, 44) + c};
}

/* 64 bytes more; the last ones weigh some of the state `nine` times. */
static inline State farm_round(State s, const uint8_t *at, u64 factor, u64 nine) {
    s.x = turned(s.x + s.y + s.v.first + word_at(at + 8), 37) * factor ^ s.w.second * nine;
    s.y = turned(s.y + s.v.second + word_at(at + 48), 42) * factor + s.v.first * nine + word_at(at + 40);
    s.z = turned(s.z + s.w.first, 33) * factor;
    s.v = weak(at, s.v.second * factor, s.x + s.w.first);
    s.w = weak(at + 32, s.z + s.w.second, s.y + word_at(at + 16));
    u64 x = s.x;
    s.x = s.z;
    s.z = x;
    return s;
}

static u64 farm_above(const uint8_t *at, u64 bytes) {
    const u64 seed = 81;
    u64 y = seed * K1 + 113;
    State s = {word_at(at) + seed * K2, y, shifted(y * K2 + 113) * K2, {0, 0}, {0, 0}};
    const uint8_t *last = at + bytes - 64, *end = at + (bytes - 1) / 64 * 64;
    for (; at < end; at += 64) s = farm_round(s, at, K1, 1);
    u64 factor = K1 + ((s.z & 0xff) << 1);
    s.w.first += (bytes - 1) & 63;
    s.v.first += s.w.first;
    s.w.first += s.v.first;
    s = farm_round(s, last, factor, 9);
    return farm_mix(farm_mix(s.v.first, s.w.first, factor) + shifted(s.y) * K0 + s.z,
                    farm_mix(s.v.second, s.w.second, factor) + s.x, factor);
}

/* FarmHash Fingerprint64 of each text; `null` of NULL. */
void fingerprint_texts(const Texts *texts, u64 null, u64 *out) {
    for (int64_t i = 0; i < texts->count; i++) {
        const uint8_t *at = texts->data + offset(texts, i);
        u64 bytes = (u64)(offset(texts, i + 1) - offset(texts, i));
        out[i] = !valid(texts, i) ? null
               : bytes <= 16      ? farm_to_16(at, bytes)
               : bytes <= 32      ? farm_to_32(at, bytes)
               : bytes <= 64      ? farm_to_64(at, bytes)
                                  : farm_above(at, bytes);
    }
}
