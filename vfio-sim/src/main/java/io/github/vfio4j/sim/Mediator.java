package io.github.vfio4j.sim;

import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.spi.Facts;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Making and removing mediated devices, as root does through sysfs. */
final class Mediator {
    private static final Pattern NAME = Pattern.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");

    /** A type and whose it is. */
    record Kind(MediatedParent parent, MediatedParent.Type type) {}

    private final SimMachine machine;
    private final List<Kind> kinds;

    Mediator(SimMachine machine, List<MediatedParent> parents) {
        this.machine = machine;
        this.kinds = parents.stream()
                .flatMap(parent -> parent.types().stream().map(type -> new Kind(parent, type)))
                .toList();
    }

    List<Kind> kinds() {
        return kinds;
    }

    /** How many devices of a type there can be besides those that there are. The kernel's lock is held. */
    int available(Kind kind) {
        return roomLeft(kind.parent()) / kind.type().size();
    }

    private int roomLeft(MediatedParent parent) {
        return parent.room()
                - devices().flatMap(device -> device.kind.stream())
                        .filter(kind -> kind.parent() == parent)
                        .mapToInt(kind -> kind.type().size())
                        .sum();
    }

    /** Those too that are being removed: they keep their names and room until nobody has them open. */
    private Stream<EmulatedDevice> devices() {
        return machine.vfioGroups().stream()
                .flatMap(group -> group.devices().stream())
                .filter(EmulatedDevice.class::isInstance)
                .map(EmulatedDevice.class::cast);
    }

    private static boolean kernelCounts(MediatedParent parent) {
        return parent.types().stream().mapToInt(MediatedParent.Type::size).distinct().count() == 1;
    }

    /** What a write to a type's create does. */
    void create(Kind kind, String text) {
        if (!NAME.matcher(text).matches()) {
            throw new KernelError(Errno.EINVAL);
        }
        String name = text.toLowerCase(Locale.ROOT);
        MediatedModel model = kind.type().model().get();
        machine.kernel().lock();
        try {
            boolean room = available(kind) > 0;
            boolean kernelCounts = kernelCounts(kind.parent());
            KernelError.check(machine.profile(), Operation.MDEV_CREATE, new Facts() {
                @Override
                public boolean mediatedNameTaken() {
                    return devices().anyMatch(device -> device.name.equals(name));
                }

                @Override
                public boolean mediatedInstancesLeft() {
                    return room || !kernelCounts;
                }

                @Override
                public boolean mediatedRoomLeft() {
                    return room;
                }
            });
            machine.drivers().add(name, Optional.of(kind), model);
        } finally {
            machine.kernel().unlock();
        }
    }

    /** What a write to a device's remove does: nothing if it says 0. Waits until nobody has the device open. */
    void remove(EmulatedDevice device, String text) {
        long number;
        try {
            number = Long.decode(text.strip());
        } catch (NumberFormatException e) {
            throw new KernelError(Errno.EINVAL);
        }
        machine.kernel().lock();
        try {
            if (number != 0 && !device.leaving) { // somebody else was faster
                device.leaving = true;
                machine.drivers().remove(device);
            }
        } finally {
            machine.kernel().unlock();
        }
    }
}
