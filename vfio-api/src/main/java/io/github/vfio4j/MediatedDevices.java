package io.github.vfio4j;

import io.github.vfio4j.spi.Kernel;
import java.util.List;
import java.util.Objects;
import java.util.UUID;

/**
 * Makes and removes mediated devices, which a driver of the kernel plays: parts of a device that it has, or devices without
 * hardware (sysfs; needs root, except for looking). From {@link Vfio#mediatedDevices}. A program opens one through its group,
 * {@link Vfio#groupOf}, with {@link Type1#openDevice(Group, UUID)}, or by its own node with
 * {@link Iommufd#openDevice(UUID)}; no binding comes before.
 *
 * <p>What is changed here is state of the machine. A device stays when the {@link Vfio} is closed, and when the program
 * ends; {@link MediatedDevice#close} or {@link #remove} ends it. All methods are safe from any thread.
 */
public final class MediatedDevices {
    private final Vfio vfio;
    private final Kernel kernel;

    MediatedDevices(Vfio vfio) {
        this.vfio = vfio;
        this.kernel = vfio.kernel();
    }

    /**
     * Lists what can be made, and of what there is something: all types of all parents
     * ({@code /sys/class/mdev_bus/PARENT/mdev_supported_types}).
     *
     * @return the types, by parent and name; none if the machine has no parent
     * @throws VfioException if sysfs cannot be read
     */
    public List<MediatedType> types() {
        return kernel.mediated().types();
    }

    /**
     * Looks up one type.
     *
     * @param parent the kernel's name of the parent, such as {@code mtty}
     * @param name the kernel's name of the type, such as {@code mtty-2}
     * @return the type as it is now
     * @throws IllegalArgumentException if a name is none that sysfs can have
     * @throws VfioException {@code ENOENT} if there is no such parent, or it does not make such a type
     */
    public MediatedType type(String parent, String name) {
        Objects.requireNonNull(parent, "parent");
        Objects.requireNonNull(name, "name");
        Given.sysfsName(parent);
        Given.sysfsName(name);
        return kernel.mediated().type(parent, name);
    }

    /**
     * Makes a device with a random name. As {@link #create(MediatedType, UUID)}.
     *
     * @param type what to make
     * @return the device
     */
    public MediatedDevice create(MediatedType type) {
        return create(type, UUID.randomUUID());
    }

    /**
     * Makes a device ({@code create}). It can be opened at once by root; where udev gives its node to a user, that takes a
     * moment.
     *
     * @param type what to make; only its names count
     * @param name the new device's name
     * @return the device
     * @throws VfioException {@code EEXIST} if there is a mediated device of that name, {@code ENOSPC} or {@code EUSERS} if
     *     the parent has no more room, {@code ENOENT} if it is gone, {@code EACCES} without root, or what the parent's driver
     *     refuses with; nothing was made
     */
    public MediatedDevice create(MediatedType type, UUID name) {
        Objects.requireNonNull(type, "type");
        Objects.requireNonNull(name, "name");
        kernel.mediated().create(type.parent(), type.name(), name);
        return new MediatedDevice(this, name);
    }

    /**
     * Removes a device, whoever made it ({@code remove}). While another program has it open, the kernel makes this call wait,
     * without a limit; it asks that program for the device if the driver has an interrupt for that, and the samples have
     * none. Nobody can open the device meanwhile, and it is not among the {@link MediatedType#devices} any more.
     *
     * @param name the device
     * @throws RuleViolation if this program has the device open; nothing was changed
     * @throws VfioException {@code ENOENT} if there is no such device, {@code EACCES} without root
     */
    public void remove(UUID name) {
        Objects.requireNonNull(name, "name");
        vfio.checkNotOpen(Operation.MDEV_REMOVE, name.toString());
        kernel.mediated().remove(name);
    }
}
