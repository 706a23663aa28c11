package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_DEVICE_PCI_HOT_RESET;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_PCI_DEVID_NOT_OWNED;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_PCI_HOT_RESET_FLAG_DEV_ID;
import static io.github.vfio4j.ffm.gen.vfio_h.VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;

import io.github.vfio4j.AffectedDevice;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Operation;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.ffm.gen.vfio_pci_dependent_device;
import io.github.vfio4j.ffm.gen.vfio_pci_hot_reset;
import io.github.vfio4j.ffm.gen.vfio_pci_hot_reset_info;
import io.github.vfio4j.ffm.port.Frame;
import io.github.vfio4j.spi.GroupPort;
import io.github.vfio4j.spi.HotResetInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** The reset of a slot or bus: {@code VFIO_DEVICE_GET_PCI_HOT_RESET_INFO} and {@code VFIO_DEVICE_PCI_HOT_RESET}. */
final class HotReset {
    private static final long DEVICES = vfio_pci_hot_reset_info.devices$offset();
    private static final long DEVICE = vfio_pci_dependent_device.sizeof();
    private static final long GROUPS = vfio_pci_hot_reset.group_fds$offset();
    private static final int MOST_DEVICES = 1 << 16; // functions of a PCI domain

    private HotReset() {}

    /** Asks with as much room as the kernel says it needs, again if devices came meanwhile. */
    static HotResetInfo info(Fd device) {
        Frame frame = device.begin(Operation.GET_PCI_HOT_RESET_INFO);
        try {
            MemorySegment info = frame.arg;
            int result = ask(device, frame, info);
            while (result == -Errno.ENOSPC.number()) {
                int count = vfio_pci_hot_reset_info.count(info);
                if (count < 0 || count > MOST_DEVICES) {
                    throw Info.broken(Operation.GET_PCI_HOT_RESET_INFO, "the kernel names " + count + " devices");
                }
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment larger = arena.allocate(DEVICES + count * DEVICE, 8);
                    result = ask(device, frame, larger);
                    if (result >= 0) {
                        return decode(larger);
                    }
                    MemorySegment.copy(larger, 0, info, 0, DEVICES); // the new count
                }
            }
            device.check(Operation.GET_PCI_HOT_RESET_INFO, result);
            return decode(info);
        } finally {
            device.end(frame);
        }
    }

    private static int ask(Fd device, Frame frame, MemorySegment info) {
        info.fill((byte) 0);
        vfio_pci_hot_reset_info.argsz(info, (int) info.byteSize());
        return device.syscalls.ioctl(frame, device.number, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO(), info);
    }

    private static HotResetInfo decode(MemorySegment info) {
        int count = vfio_pci_hot_reset_info.count(info);
        if (count < 0 || count > (info.byteSize() - DEVICES) / DEVICE) {
            throw Info.broken(Operation.GET_PCI_HOT_RESET_INFO, "the kernel names more devices than it lists");
        }
        int flags = vfio_pci_hot_reset_info.flags(info);
        boolean byNumber = (flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID()) != 0;
        boolean owned = (flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED()) != 0;
        List<AffectedDevice> devices = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            MemorySegment entry = info.asSlice(DEVICES + i * DEVICE, DEVICE);
            int number = vfio_pci_dependent_device.group_id(entry); // a device's number shares its place
            int slotAndFunction = Byte.toUnsignedInt(vfio_pci_dependent_device.devfn(entry));
            devices.add(new AffectedDevice(
                    new PciAddress(
                            Short.toUnsignedInt(vfio_pci_dependent_device.segment(entry)),
                            Byte.toUnsignedInt(vfio_pci_dependent_device.bus(entry)),
                            slotAndFunction >> 3,
                            slotAndFunction & 7),
                    byNumber ? OptionalInt.empty() : OptionalInt.of(number),
                    byNumber ? Optional.of(number != VFIO_PCI_DEVID_NOT_OWNED()) : Optional.empty()));
        }
        return new HotResetInfo(devices, byNumber ? Optional.of(owned) : Optional.empty());
    }

    static void reset(Fd device, List<GroupPort> groups) {
        List<Fd> held = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment reset = arena.allocate(GROUPS + (long) groups.size() * Integer.BYTES, 8);
            vfio_pci_hot_reset.argsz(reset, (int) reset.byteSize());
            vfio_pci_hot_reset.count(reset, groups.size());
            for (GroupPort group : groups) {
                Fd fd = ((FfmGroup) group).fd;
                fd.hold(Operation.PCI_HOT_RESET);
                reset.set(ValueLayout.JAVA_INT, GROUPS + (long) held.size() * Integer.BYTES, fd.number);
                held.add(fd);
            }
            Frame frame = device.begin(Operation.PCI_HOT_RESET);
            try {
                int result = device.syscalls.ioctl(frame, device.number, VFIO_DEVICE_PCI_HOT_RESET(), reset);
                device.check(Operation.PCI_HOT_RESET, result);
            } finally {
                device.end(frame);
            }
        } finally {
            held.forEach(Fd::release);
        }
    }
}
