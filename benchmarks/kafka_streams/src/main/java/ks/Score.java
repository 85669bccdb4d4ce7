package ks;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** The first model, with the very weights of the worker: models/ngrams.py, byte by byte. */
final class Score {
    private static final int BUCKETS = 1 << 18;
    private static final int SEED = 0x9E3779B1, MIX_1 = 0x85EBCA6B, MIX_2 = 0xC2B2AE35, MIX_3 = 0x27D4EB2F;
    private static final int HANDLE = 0x5BD1E995, AFTER_SLASH = 0x1B873593;
    private static final byte[] CODES = new byte[256], KINDS = new byte[256];
    private static final int MARK = mixed(0x1e);

    private final float[] pairs = new float[4 * BUCKETS];
    private final double[] bias = new double[3];

    static {
        for (char c : "abcdefghijklmnopqrstuvwxyz0123456789@#'_$%&".toCharArray()) member(c, c, 1);
        for (int c = 128; c < 256; c++) member(c, c, 1);
        for (char c = 'A'; c <= 'Z'; c++) member(c, c + 32, 1);
        for (char c = '0'; c <= '9'; c++) member(c, '0', 1);
        member('?', '?', 2);
        member('!', '!', 3);
    }

    Score(Path file) throws IOException {
        ByteBuffer weights = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < pairs.length; i++) pairs[i] = weights.getFloat();
        for (int i = 0; i < 3; i++) bias[i] = weights.getDouble();
    }

    private static void member(int at, int code, int kind) {
        CODES[at] = (byte) code;
        KINDS[at] = (byte) kind;
    }

    private static int mixed(int h) {
        h ^= h >>> 15;
        h *= MIX_1;
        return h ^ h >>> 13;
    }

    private static int bucket(int h) {
        h ^= h >>> 15;
        return (h * MIX_2) >>> 14;
    }

    /** Probabilities in the order reactive, proactive, engagement, rounded to four digits so that they sum to one. */
    double[] of(String text) {
        byte[] b = plain(text).getBytes(StandardCharsets.UTF_8);
        double first = 0, second = 0;
        int left = MARK, count = 0, i = 0, n = b.length;
        int[] letters = new int[n + 2];
        while (true) {
            while (i < n && KINDS[b[i] & 255] == 0) i++;
            int right = MARK;
            if (i < n) {
                int kind = KINDS[b[i] & 255], start = i, h = 0, power = 1;
                for (; i < n && KINDS[b[i] & 255] == kind; i++, power *= SEED) h += (CODES[b[i] & 255] & 255) * power;
                boolean tail = start > 0 && b[start - 1] == '/', handle = b[start] == '@';
                right = mixed(tail ? AFTER_SLASH : handle ? HANDLE : h);
                if (!tail && !handle) for (int k = start; k < i; k++) letters[k + 1] = CODES[b[k] & 255] & 255;
            }
            int one = (left * MIX_2) >>> 14, two = (left * MIX_3 + right * MIX_1) >>> 14;
            first += pairs[2 * one] + pairs[2 * two];
            second += pairs[2 * one + 1] + pairs[2 * two + 1];
            count += 2;
            if (right == MARK && i >= n) break;
            left = right;
        }
        for (int k = 0; k + 2 < letters.length; k++) {
            if (letters[k + 1] == 0) continue;
            int run = letters[k] | letters[k + 1] << 8 | letters[k + 2] << 16;
            int at = 2 * (BUCKETS + bucket(run * MIX_1));
            first += pairs[at];
            second += pairs[at + 1];
            if (k + 3 >= letters.length || letters[k + 2] == 0) continue;
            run |= letters[k + 3] << 24;
            at = 2 * (BUCKETS + bucket(run * MIX_2));
            first += pairs[at];
            second += pairs[at + 1];
            if (k + 4 >= letters.length || letters[k + 3] == 0) continue;
            at = 2 * (BUCKETS + bucket(run * MIX_3 + letters[k + 4] * SEED));
            first += pairs[at];
            second += pairs[at + 1];
        }
        double root = Math.sqrt(count);
        return shares(first / root + bias[0], second / root + bias[1], (-first - second) / root + bias[2]);
    }

    private static String plain(String text) {
        for (int i = 0; i < text.length(); i++)
            if (text.charAt(i) > 127) return text.toLowerCase(Locale.ROOT).replace('’', '\'').replace('…', ' ');
        return text;
    }

    private static double[] shares(double a, double b, double c) {
        double top = Math.max(a, Math.max(b, c));
        double[] s = {Math.exp(a - top), Math.exp(b - top), Math.exp(c - top)};
        double sum = s[0] + s[1] + s[2], left = 10_000;
        int best = s[0] >= s[1] && s[0] >= s[2] ? 0 : s[1] >= s[2] ? 1 : 2;
        for (int i = 0; i < 3; i++) left -= s[i] = Math.rint(s[i] * (10_000 / sum));
        s[best] += left;
        for (int i = 0; i < 3; i++) s[i] /= 10_000;
        return s;
    }
}
