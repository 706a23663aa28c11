package io.github.vfio4j;

import java.lang.ref.Cleaner;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The open handles of a {@link Vfio}, to tell of them when that is lost. The handles know their {@code Vfio} and it
 * knows them, so they are lost together; what is told must therefore not refer to any of them.
 */
final class OpenHandles {
    private final boolean places;
    private final Map<Object, LostHandle> entries = new IdentityHashMap<>(); // guarded by open
    private final Set<LostHandle> open = Collections.newSetFromMap(new IdentityHashMap<>()); // guarded by itself
    private final Cleaner.Cleanable report;

    OpenHandles(Vfio owner, boolean places, Consumer<List<LostHandle>> listener) {
        this.places = places;
        Set<LostHandle> left = open;
        // A cleaner of its own: its thread ends with it, and a slow listener holds nobody else up.
        report = Cleaner.create().register(owner, () -> {
            List<LostHandle> lost;
            synchronized (left) {
                lost = List.copyOf(left);
            }
            if (!lost.isEmpty()) {
                listener.accept(lost);
            }
        });
    }

    void opened(Object handle) {
        Optional<Throwable> place = places ? Optional.of(new Throwable("opened here")) : Optional.empty();
        LostHandle entry = new LostHandle(describe(handle), place);
        synchronized (open) {
            LostHandle before = entries.put(handle, entry);
            open.remove(before);
            open.add(entry);
        }
    }

    void closed(Object handle) {
        synchronized (open) {
            open.remove(entries.remove(handle));
        }
    }

    /** Everything was closed, or never will be. */
    void end() {
        report.clean();
    }

    private static String describe(Object handle) {
        return switch (handle) {
            case Group group -> "group " + group.number();
            case Device device -> "device " + device.name();
            case Interrupts interrupts -> "interrupts " + interrupts.irq();
            case Ioas ioas -> "address space " + ioas.id;
            case FaultQueue queue -> "fault queue " + queue.id;
            case Viommu viommu -> "virtual IOMMU " + viommu.id;
            case VirtualDevice virtual -> "virtual device " + virtual.id;
            case VirtualEventQueue queue -> "event queue " + queue.id;
            case HardwareQueue queue -> "hardware queue " + queue.id;
            case DmaBuffer buffer -> buffer.toString();
            default -> handle.getClass().getSimpleName();
        };
    }
}
