package io.github.vfio4j.sim.differential;

import io.github.vfio4j.ffm.port.SysFs;
import io.github.vfio4j.sim.SimMachine;
import io.github.vfio4j.sim.SimPorts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/**
 * Root on one kernel, who gives functions to drivers and takes them away through sysfs while programs run, and puts all
 * back in the end. The unbinding of a device that is open waits in a thread of its own; each answer meanwhile says so.
 */
final class Administrator {
    private static final String DEVICES = "/sys/bus/pci/devices/";
    private static final String NONE = "(null)"; // how sysfs shows that nothing overrides
    private static final long MOST_NANOS = 60_000_000_000L;

    /** How to tell that a thread which unbinds waits for the users of the device. */
    private interface Waiting {
        boolean waits(String address, Unbinding unbinding);
    }

    /** An unbinding that goes on. */
    private static final class Unbinding {
        final CompletableFuture<Long> answer = new CompletableFuture<>();
        volatile Path task; // of its thread, on Linux
    }

    private final SysFs sysfs;
    private final Waiting waiting;
    private final Map<String, Bound> bound = new TreeMap<>(); // at the start, by address
    private final String unsafeMode; // at the start; empty if there is none
    private final Map<String, Unbinding> unbindings = new HashMap<>(); // by address
    private boolean changed;
    private boolean asked;

    /** What a function is bound to, or nothing, and what overrides the choice of its driver, or nothing. */
    private record Bound(String driver, String override) {}

    private Administrator(SysFs sysfs, Waiting waiting, List<String> functions) {
        this.sysfs = sysfs;
        this.waiting = waiting;
        functions.forEach(address -> bound.put(address, bound(address)));
        unsafeMode = unsafeMode();
    }

    /** Root on this Linux, for some functions that vfio-pci has. */
    static Administrator onLinux(List<String> functions) {
        return new Administrator(SysFs.linux(), (address, unbinding) -> sleepsInUnregister(unbinding.task), functions);
    }

    /** Root on a simulated machine, for some functions that vfio-pci has. */
    static Administrator simulated(SimMachine machine, List<String> functions) {
        return new Administrator(
                SimPorts.sysfs(machine), (address, unbinding) -> SimPorts.isWaitedFor(machine, address), functions);
    }

    /** The kernel does not show a task there that was woken already. */
    private static boolean sleepsInUnregister(Path task) {
        try {
            return task != null && Files.readString(task.resolve("wchan")).startsWith("vfio_unregister_group_dev");
        } catch (IOException e) {
            return false; // it just ended
        }
    }

    /** Would nobody answer a write, because the device is being unbound? */
    boolean isUnbinding(String address) {
        return unbindings.containsKey(address);
    }

    /** Was a program asked for a device since the start of the sequence? */
    boolean asked() {
        return asked;
    }

    /** Writes an attribute: 0, or -errno, or 1 for an unbinding that waits. */
    long write(String path, String text) {
        changed = true;
        if (!path.endsWith("/unbind")) {
            return attempt(path, text);
        }
        Unbinding unbinding = new Unbinding();
        Thread.ofPlatform().name("unbinding").daemon().start(() -> {
            unbinding.task = task();
            unbinding.answer.complete(attempt(path, text));
        });
        if (settled(text, unbinding)) {
            return unbinding.answer.join();
        }
        unbindings.put(text, unbinding);
        asked = true;
        return 1;
    }

    private static Path task() {
        try {
            return Path.of("/proc").resolve(Files.readSymbolicLink(Path.of("/proc/thread-self")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private long attempt(String path, String text) {
        try {
            sysfs.write(path, text);
            return 0;
        } catch (SysFs.Failure e) {
            return -e.errno;
        }
    }

    /** Waits until an unbinding has ended, or sleeps until the device is closed. Has it ended? */
    private boolean settled(String address, Unbinding unbinding) {
        long start = System.nanoTime();
        while (!unbinding.answer.isDone()) {
            if (waiting.waits(address, unbinding)) {
                return false;
            }
            if (System.nanoTime() - start > MOST_NANOS) {
                throw new IllegalStateException("the unbinding of %s neither ends nor waits".formatted(address));
            }
            Thread.yield();
        }
        return true;
    }

    /** What became of the unbindings that went on, in words; empty if there were none. */
    String news() {
        if (unbindings.isEmpty()) {
            return "";
        }
        StringBuilder news = new StringBuilder();
        for (Iterator<Map.Entry<String, Unbinding>> i = new TreeMap<>(unbindings).entrySet().iterator(); i.hasNext(); ) {
            Map.Entry<String, Unbinding> entry = i.next();
            boolean ended = settled(entry.getKey(), entry.getValue());
            news.append(entry.getKey()).append(ended ? " unbound: " + entry.getValue().answer.join() : " is open").append('\n');
            if (ended) {
                unbindings.remove(entry.getKey());
            }
        }
        return news.toString();
    }

    /** Which driver a function has, and which one overrides. */
    Outcome driver(String address) {
        return new Outcome(0, bound(address).toString().getBytes(StandardCharsets.UTF_8));
    }

    private Bound bound(String address) {
        try {
            boolean has = sysfs.list(DEVICES + address).contains("driver");
            String link = has ? sysfs.readLink(DEVICES + address + "/driver") : "";
            String override = sysfs.read(DEVICES + address + "/driver_override");
            return new Bound(link.substring(link.lastIndexOf('/') + 1), override.equals(NONE) ? "" : override);
        } catch (SysFs.Failure e) {
            throw new IllegalStateException("%s: errno %d".formatted(e.getMessage(), e.errno));
        }
    }

    /** Gives all functions back to the drivers that they had at the start. Every program has closed everything. */
    void restore() {
        if (!changed) {
            return;
        }
        long start = System.nanoTime();
        while (!news().isEmpty()) {
            if (System.nanoTime() - start > MOST_NANOS) {
                throw new IllegalStateException("nobody has it open, and still it is not unbound: " + unbindings.keySet());
            }
        }
        bound.forEach((address, before) -> {
            try {
                restore(address, before);
            } catch (SysFs.Failure e) {
                throw new IllegalStateException("%s is not given back: %s, errno %d".formatted(address, e.getMessage(), e.errno));
            }
        });
        if (!unsafeMode.equals(unsafeMode())) {
            attempt(TwinMachine.UNSAFE_MODE, unsafeMode);
        }
        changed = false;
        asked = false;
    }

    private String unsafeMode() {
        try {
            return sysfs.read(TwinMachine.UNSAFE_MODE);
        } catch (SysFs.Failure e) {
            return "";
        }
    }

    private void restore(String address, Bound before) throws SysFs.Failure {
        Bound now = bound(address);
        if (!now.driver.equals(before.driver)) {
            if (!now.driver.isEmpty()) {
                sysfs.write("/sys/bus/pci/drivers/" + now.driver + "/unbind", address);
            }
            if (!before.driver.isEmpty()) {
                sysfs.write(DEVICES + address + "/driver_override", before.driver);
                sysfs.write("/sys/bus/pci/drivers/" + before.driver + "/bind", address);
            }
        }
        sysfs.write(DEVICES + address + "/driver_override", before.override);
    }
}
