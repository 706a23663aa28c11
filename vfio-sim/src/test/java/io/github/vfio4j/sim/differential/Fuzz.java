package io.github.vfio4j.sim.differential;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * Runs fresh sequences on Linux and on its simulated twin: {@code [--sequences N] [--seconds S] [--seed S] [--from I]
 * [--about groups|iommufd|mediated[,...]]}. Prints each kind of disagreement once, as a test; the exit status is 0 only
 * without any.
 */
final class Fuzz {
    private static final int MOST_KINDS = 40;
    private static final long PROGRESS_NANOS = 5_000_000_000L;
    private static final int STEPS = 60; // of a sequence that does not choose how many

    /** What sequences are about; those of groups go through the API, too. */
    private enum About {
        GROUPS, IOMMUFD, MEDIATED;

        /** Has the kernel what they are about? */
        boolean isHere() {
            return switch (this) {
                case GROUPS -> true;
                case IOMMUFD -> Files.exists(Path.of("/dev/iommu"));
                case MEDIATED -> TwinMachine.mediated();
            };
        }
    }

    private final Twins twins;
    private final List<About> about; // in turn
    private final long seed;
    private final Map<String, Disagreement> kinds = new HashMap<>();
    private final List<String> leaks = new ArrayList<>();
    private long sequences;
    private long disagreements;

    private Fuzz(Twins twins, List<About> about, long seed) {
        this.twins = twins;
        this.about = about;
        this.seed = seed;
    }

    public static void main(String[] args) {
        long most = Long.MAX_VALUE;
        long seconds = Long.MAX_VALUE;
        long seed = new SplittableRandom().nextLong();
        long from = 0;
        List<About> about = List.of(About.GROUPS);
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " needs a value");
            }
            String value = args[i + 1];
            switch (args[i]) {
                case "--sequences" -> most = Long.parseLong(value);
                case "--seconds" -> seconds = Long.parseLong(value);
                case "--seed" -> seed = seedOf(value);
                case "--from" -> from = Long.parseLong(value);
                case "--about" -> about = Stream.of(value.toUpperCase(Locale.ROOT).split(",")).map(About::valueOf).toList();
                default -> throw new IllegalArgumentException("unknown option " + args[i]);
            }
        }
        if (most == Long.MAX_VALUE && seconds == Long.MAX_VALUE) {
            seconds = 60;
        }
        List<About> missing = about.stream().filter(what -> !what.isHere()).toList();
        if (!missing.isEmpty()) {
            System.out.println("left out, for the kernel lacks it: " + missing);
            about = about.stream().filter(About::isHere).toList();
        }
        if (about.isEmpty()) {
            throw new IllegalArgumentException("the kernel has nothing of what the sequences are to be about");
        }
        Fuzz fuzz = new Fuzz(Twins.ofThisJvm(), about, seed);
        fuzz.run(from, most, seconds);
        System.exit(fuzz.found() == 0 ? 0 : 1);
    }

    private static long seedOf(String text) {
        return HexFormat.fromHexDigitsToLong(text);
    }

    /** How many sequences ended in a disagreement or left something open. */
    private long found() {
        return disagreements + leaks.size();
    }

    /** Runs sequences from an index on, so many of them or so long. */
    private void run(long from, long most, long seconds) {
        long start = System.nanoTime();
        long end = seconds > 1_000_000 ? Long.MAX_VALUE : seconds * 1_000_000_000L;
        long nextProgress = PROGRESS_NANOS;
        System.out.printf("%s: seed %016x from %d%n", twins, seed, from);
        for (long index = from; index - from < most && kinds.size() < MOST_KINDS; index++) {
            long passed = System.nanoTime() - start;
            if (passed >= end) {
                break;
            }
            if (passed >= nextProgress) {
                nextProgress = passed + PROGRESS_NANOS;
                System.out.printf("  %d s: next --seed %016x --from %d; %s%n", passed / 1_000_000_000, seed, index, counts());
            }
            one(index);
        }
        twins.leaks().forEach(this::leaked);
        double passed = (System.nanoTime() - start) / 1e9;
        System.out.printf(
                "%.1f s (%s), %.0f sequences/s, %.0f steps/s%n",
                passed, twins.lockstep.times(), sequences / passed, twins.lockstep.steps() / passed);
        if (about.contains(About.GROUPS)) {
            System.out.println(twins.api.counts());
        }
        System.out.println(counts());
    }

    private String counts() {
        return "%d sequences, %d steps, %d disagreements, %d leaks"
                .formatted(sequences, twins.lockstep.steps(), disagreements, leaks.size());
    }

    private void one(long index) {
        sequences++;
        Optional<Disagreement> found =
                switch (about(index)) {
                    case GROUPS -> twins.compare(new Generator(seedOf(index), twins.scope()));
                    case IOMMUFD -> twins.lockstep.run(new IommufdSequence(seedOf(index), STEPS));
                    case MEDIATED -> twins.lockstep
                            .run(new MediatedSequence(seedOf(index), STEPS))
                            .or(() -> twins.lockstep.run(MediatedSequence.afterwards()));
                };
        if (found.isPresent()) {
            disagreements++;
            if (kinds.putIfAbsent(found.get().kind(), found.get()) == null) {
                report(index, found.get());
            }
        }
        List<String> left = found.isEmpty() && index % 64 != 0 ? twins.simulatedLeaks() : twins.leaks();
        left.forEach(leak -> leaked("after sequence " + index + ": " + leak));
    }

    /** A seed of the sequence's own, far from its neighbours': close ones would repeat each other's random numbers. */
    private long seedOf(long index) {
        long z = (index + 1) * 0xff51_afd7_ed55_8ccdL;
        z = (z ^ z >>> 33) * 0xc4ce_b9fe_1a85_ec53L;
        return seed ^ z ^ z >>> 29;
    }

    private void leaked(String what) {
        if (leaks.size() < MOST_KINDS) {
            System.out.println("LEAK " + what);
        }
        leaks.add(what);
    }

    private About about(long index) {
        return about.get((int) (index % about.size()));
    }

    private void report(long index, Disagreement found) {
        System.out.printf(
                "DISAGREEMENT (--about %s --seed %016x --from %d --sequences 1): %s%n",
                about(index).name().toLowerCase(Locale.ROOT), seed, index, twins.describe(found));
    }
}
