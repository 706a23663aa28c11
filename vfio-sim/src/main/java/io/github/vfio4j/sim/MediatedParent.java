package io.github.vfio4j.sim;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What makes mediated devices on a simulated machine: a driver of the kernel, for root who asks for them in sysfs. If a
 * device of each type takes the same, the kernel counts them; otherwise the driver does, and says so by another errno.
 *
 * @param name its name, such as {@code mtty}
 * @param deviceApi what {@code device_api} of its types says, such as {@code vfio-pci}
 * @param room how much it has to give
 * @param types what it makes
 */
public record MediatedParent(String name, String deviceApi, int room, List<Type> types) {
    /**
     * What it makes.
     *
     * @param name the type's name in sysfs, such as {@code mtty-2}
     * @param label its name for people
     * @param description what its devices are; empty for a driver that does not say
     * @param size how much of the parent's room a device takes, 1 or more
     * @param model makes what plays a new device
     */
    public record Type(
            String name, String label, Optional<String> description, int size, Supplier<MediatedModel> model) {
        /** Nothing is null. */
        public Type {
            Objects.requireNonNull(name, "name");
            Objects.requireNonNull(label, "label");
            Objects.requireNonNull(description, "description");
            Objects.requireNonNull(model, "model");
            if (size < 1) {
                throw new IllegalArgumentException("a mediated device takes room: " + size);
            }
        }
    }

    /** Copies the list. */
    public MediatedParent {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(deviceApi, "deviceApi");
        types = List.copyOf(types);
    }
}
