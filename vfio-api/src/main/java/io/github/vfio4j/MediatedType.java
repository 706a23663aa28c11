package io.github.vfio4j;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;

/**
 * A type of the mediated devices that a parent makes ({@code /sys/class/mdev_bus/PARENT/mdev_supported_types/TYPE}). A
 * snapshot: it can change before the next call.
 *
 * @param parent the kernel's name of the parent: {@code mtty}, or the address of a PCI function
 * @param name the kernel's name of the type, such as {@code mtty-2}
 * @param label its name for people ({@code name}); the same if the driver has no other
 * @param description what its devices are ({@code description}), in one line or several; empty if the driver does not say
 * @param bus what kind of device a program gets ({@code device_api})
 * @param available how many more the parent can make ({@code available_instances}). Its types may share what they take
 *     from it, so that making one of a type leaves fewer of another
 * @param devices the devices of this type that there are, whoever made them ({@code devices})
 */
public record MediatedType(
        String parent,
        String name,
        String label,
        Optional<String> description,
        DeviceInfo.Bus bus,
        int available,
        List<UUID> devices) {
    /**
     * Copies the list.
     *
     * @throws IllegalArgumentException if the name of the parent or the type is none that sysfs can have
     */
    public MediatedType {
        Objects.requireNonNull(parent, "parent");
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(label, "label");
        Objects.requireNonNull(description, "description");
        Objects.requireNonNull(bus, "bus");
        devices = Given.elements(devices, "devices");
        Given.sysfsName(parent);
        Given.sysfsName(name);
    }
}
