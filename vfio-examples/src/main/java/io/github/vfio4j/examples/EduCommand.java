package io.github.vfio4j.examples;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.edu.Edu;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;

/** {@code vfio edu}: everything that the edu device can do, and that it did it right. */
final class EduCommand {
    private static final int PAGE = 4096;
    private static final int COPIED = Edu.BUFFER_BYTES / Long.BYTES * Long.BYTES;
    private static final int PROBE = 0x1234_5678;

    private final Vfio vfio;
    private final PrintStream out;
    private final Arguments arguments;

    EduCommand(Vfio vfio, PrintStream out, Arguments arguments) {
        this.vfio = vfio;
        this.out = out;
        this.arguments = arguments;
    }

    static boolean isEdu(PciDevice device) {
        return device.vendorId() == 0x1234 && device.deviceId() == 0x11e8;
    }

    void run() {
        PciDevice found = Choice.of(vfio, "edu device (1234:11e8)", EduCommand::isEdu).choose(arguments.device());
        long seed = arguments.number("--seed", System.nanoTime(), Long.MIN_VALUE, Long.MAX_VALUE);
        try (Device device = arguments.open(vfio, found.address());
                Edu edu = Edu.start(device)) {
            out.println("device         %s, version %d.%d"
                    .formatted(found.address(), edu.version() >>> 8, edu.version() & 0xff));
            expect("the complement", ~PROBE, edu.invert(PROBE));
            long start = System.nanoTime();
            int expected = 1;
            for (int n = 0; n <= 12; n++) {
                expected *= Math.max(n, 1);
                expect(n + "!", expected, edu.factorial(n));
            }
            out.println("factorials     0! to 12!, each by an interrupt, %s a piece"
                    .formatted(Sizes.milliseconds((System.nanoTime() - start) / 13)));
            edu.raise(0x40);
            out.println("interrupt      raised and acknowledged");
            out.println("seed           " + seed);
            long copied = copy(device, edu, new Pattern(seed));
            out.println("verified       13 factorials, %s bytes to the device and back".formatted(Sizes.count(copied)));
        }
    }

    /** Fills the device's buffer from one piece of memory, in pieces, and reads it into another. */
    private static long copy(Device device, Edu edu, Pattern pattern) {
        try (DmaBuffer source = device.iommu().allocateWithin(Edu.REACH, PAGE, Access.READ);
                DmaBuffer target = device.iommu().allocateWithin(Edu.REACH, PAGE, Access.WRITE)) {
            pattern.fill(source.segment(), 0);
            pattern.fillWrong(target.segment(), 0);
            for (int at = 0; at < COPIED; at += Edu.MOST_BYTES) {
                edu.toDevice(source, at, at, Math.min(Edu.MOST_BYTES, COPIED - at));
            }
            for (int at = 0; at < COPIED; at += Edu.MOST_BYTES) {
                edu.fromDevice(at, target, at, Math.min(Edu.MOST_BYTES, COPIED - at));
            }
            MemorySegment back = target.segment().asSlice(0, COPIED);
            long wrong = pattern.firstWrong(back, 0);
            if (wrong >= 0) {
                throw new CommandException("what came back from the device is wrong from byte " + wrong + " on");
            }
            return back.byteSize();
        }
    }

    private static void expect(String what, int expected, int found) {
        if (found != expected) {
            throw new CommandException("%s is 0x%x, the device says 0x%x".formatted(what, expected, found));
        }
    }
}
