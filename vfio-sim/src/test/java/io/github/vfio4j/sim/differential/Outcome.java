package io.github.vfio4j.sim.differential;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * What one kernel answered, without what may differ: descriptors and addresses are 0.
 *
 * @param result 0 or more, or -errno
 * @param written what the kernel left in the memory that it was given
 */
record Outcome(long result, byte[] written) implements Serializable {
    private static final byte[] NOTHING = {};

    private static final int MOST_WORDS = 512; // more is a struct, and not what root was told
    private static final long IN_WORDS = Long.MIN_VALUE;

    static Outcome of(long result) {
        return new Outcome(result, NOTHING);
    }

    /** A descriptor or an address: that there is one is all that is compared. */
    static Outcome handle(long result) {
        return of(result >= 0 ? 0 : result);
    }

    static Outcome brokeDown(Throwable e) {
        return said("broke down: " + e);
    }

    /** An answer in words. */
    static Outcome said(String words) {
        return new Outcome(IN_WORDS, words.getBytes(StandardCharsets.UTF_8));
    }

    /** The same answer, and what else happened. */
    Outcome with(String news) {
        if (news.isEmpty()) {
            return this;
        }
        byte[] more = news.getBytes(StandardCharsets.UTF_8);
        byte[] both = Arrays.copyOf(written, written.length + more.length);
        System.arraycopy(more, 0, both, written.length, more.length);
        return new Outcome(result, both);
    }

    /** A kernel or a program that broke down agrees with nothing. */
    boolean agrees(Outcome other) {
        return result != IN_WORDS && result == other.result && Arrays.equals(written, other.written);
    }

    /** What tells it from other kinds of answers. */
    String kind() {
        return result == IN_WORDS ? new String(written, StandardCharsets.UTF_8) : Long.toString(result);
    }

    /** Says what differs from the other. */
    String differenceFrom(Outcome other) {
        if (result == IN_WORDS) {
            return new String(written, StandardCharsets.UTF_8);
        }
        if (result != other.result || written.length != other.written.length) {
            return "result " + result + (written.length < MOST_WORDS ? " " + new String(written, StandardCharsets.UTF_8) : "");
        }
        int at = Math.max(0, Arrays.mismatch(written, other.written));
        int from = at & -4;
        int to = Math.min(written.length, from + 16);
        return "result %d, bytes from %d: %s".formatted(result, from, HexFormat.of().formatHex(written, from, to));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Outcome outcome && result == outcome.result && Arrays.equals(written, outcome.written);
    }

    @Override
    public int hashCode() {
        return 31 * Long.hashCode(result) + Arrays.hashCode(written);
    }
}
