package io.github.vfio4j.ffm;

import static io.github.vfio4j.ffm.gen.vfio_h.*;

import io.github.vfio4j.DeviceCapability;
import io.github.vfio4j.DeviceInfo;
import io.github.vfio4j.DeviceInfo.Bus;
import io.github.vfio4j.Operation;
import io.github.vfio4j.ffm.gen.vfio_device_info;
import io.github.vfio4j.ffm.gen.vfio_device_info_cap_pci_atomic_comp;
import io.github.vfio4j.ffm.gen.vfio_device_info_cap_zpci_base;
import io.github.vfio4j.ffm.gen.vfio_device_info_cap_zpci_group;
import io.github.vfio4j.ffm.gen.vfio_device_info_cap_zpci_pfip;
import io.github.vfio4j.ffm.gen.vfio_device_info_cap_zpci_util;
import io.github.vfio4j.ffm.gen.vfio_info_cap_header;
import io.github.vfio4j.ffm.gen.vfio_zdev_h;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/** Reads {@code struct vfio_device_info} and its capabilities. */
final class DeviceInfoDecoder {
    private DeviceInfoDecoder() {}

    static DeviceInfo decode(MemorySegment answer) {
        int flags = vfio_device_info.flags(answer);
        List<DeviceCapability> capabilities = new ArrayList<>();
        if ((flags & VFIO_DEVICE_FLAGS_CAPS()) != 0) {
            // The chain starts behind the struct without the padding that Linux 6.1 does not have.
            Info.capabilities(
                    Operation.DEVICE_GET_INFO,
                    answer,
                    vfio_device_info.cap_offset(answer),
                    vfio_device_info.cap_offset$offset() + Integer.BYTES,
                    (id, capability) -> capabilities.add(capability(id, capability)));
        }
        return new DeviceInfo(
                bus(flags),
                (flags & VFIO_DEVICE_FLAGS_RESET()) != 0,
                vfio_device_info.num_regions(answer),
                vfio_device_info.num_irqs(answer),
                capabilities);
    }

    private static Bus bus(int flags) {
        if ((flags & VFIO_DEVICE_FLAGS_PCI()) != 0) {
            return Bus.PCI;
        } else if ((flags & VFIO_DEVICE_FLAGS_PLATFORM()) != 0) {
            return Bus.PLATFORM;
        } else if ((flags & VFIO_DEVICE_FLAGS_AMBA()) != 0) {
            return Bus.AMBA;
        } else if ((flags & VFIO_DEVICE_FLAGS_CCW()) != 0) {
            return Bus.CCW;
        } else if ((flags & VFIO_DEVICE_FLAGS_AP()) != 0) {
            return Bus.AP;
        } else if ((flags & VFIO_DEVICE_FLAGS_FSL_MC()) != 0) {
            return Bus.FSL_MC;
        }
        return (flags & VFIO_DEVICE_FLAGS_CDX()) != 0 ? Bus.CDX : Bus.OTHER;
    }

    private static DeviceCapability capability(int id, MemorySegment capability) {
        int version = Short.toUnsignedInt(vfio_info_cap_header.version(capability));
        if (id == VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP()) {
            return atomicCompletion(capability);
        } else if (id == VFIO_DEVICE_INFO_CAP_ZPCI_BASE()) {
            return zpciBase(capability, version);
        } else if (id == VFIO_DEVICE_INFO_CAP_ZPCI_GROUP()) {
            return zpciGroup(capability, version);
        } else if (id == VFIO_DEVICE_INFO_CAP_ZPCI_UTIL()) {
            long size = vfio_device_info_cap_zpci_util.size$offset();
            return new DeviceCapability.ZpciUtility(
                    bytes(capability, size, vfio_device_info_cap_zpci_util.util_str$offset()));
        } else if (id == VFIO_DEVICE_INFO_CAP_ZPCI_PFIP()) {
            long size = vfio_device_info_cap_zpci_pfip.size$offset();
            return new DeviceCapability.ZpciPath(
                    bytes(capability, size, vfio_device_info_cap_zpci_pfip.pfip$offset()));
        }
        return new DeviceCapability.Unknown(id, version);
    }

    private static DeviceCapability atomicCompletion(MemorySegment capability) {
        MemorySegment struct = Info.struct(
                capability,
                vfio_device_info_cap_pci_atomic_comp.layout(),
                vfio_device_info_cap_pci_atomic_comp.sizeof());
        int widths = vfio_device_info_cap_pci_atomic_comp.flags(struct);
        return new DeviceCapability.PciAtomicCompletion(
                (widths & VFIO_PCI_ATOMIC_COMP32()) != 0,
                (widths & VFIO_PCI_ATOMIC_COMP64()) != 0,
                (widths & VFIO_PCI_ATOMIC_COMP128()) != 0);
    }

    private static DeviceCapability zpciBase(MemorySegment capability, int version) {
        boolean first = version < 2;
        long size = first ? vfio_device_info_cap_zpci_base.fh$offset() : vfio_device_info_cap_zpci_base.sizeof();
        MemorySegment struct = Info.struct(capability, vfio_device_info_cap_zpci_base.layout(), size);
        return new DeviceCapability.ZpciBase(
                vfio_device_info_cap_zpci_base.start_dma(struct),
                vfio_device_info_cap_zpci_base.end_dma(struct),
                Short.toUnsignedInt(vfio_device_info_cap_zpci_base.pchid(struct)),
                Short.toUnsignedInt(vfio_device_info_cap_zpci_base.vfn(struct)),
                Short.toUnsignedInt(vfio_device_info_cap_zpci_base.fmb_length(struct)),
                Byte.toUnsignedInt(vfio_device_info_cap_zpci_base.pft(struct)),
                Byte.toUnsignedInt(vfio_device_info_cap_zpci_base.gid(struct)),
                first ? OptionalInt.empty() : OptionalInt.of(vfio_device_info_cap_zpci_base.fh(struct)));
    }

    private static DeviceCapability zpciGroup(MemorySegment capability, int version) {
        boolean first = version < 2;
        long size = first
                ? vfio_device_info_cap_zpci_group.reserved$offset()
                : vfio_device_info_cap_zpci_group.imaxstbl$offset() + Short.BYTES;
        MemorySegment struct = Info.struct(capability, vfio_device_info_cap_zpci_group.layout(), size);
        int longest = Short.toUnsignedInt(vfio_device_info_cap_zpci_group.imaxstbl(struct));
        return new DeviceCapability.ZpciGroup(
                vfio_device_info_cap_zpci_group.dasm(struct),
                vfio_device_info_cap_zpci_group.msi_addr(struct),
                (vfio_device_info_cap_zpci_group.flags(struct) & vfio_zdev_h.VFIO_DEVICE_INFO_ZPCI_FLAG_REFRESH()) != 0,
                Short.toUnsignedInt(vfio_device_info_cap_zpci_group.mui(struct)),
                Short.toUnsignedInt(vfio_device_info_cap_zpci_group.noi(struct)),
                Short.toUnsignedInt(vfio_device_info_cap_zpci_group.maxstbl(struct)),
                Byte.toUnsignedInt(vfio_device_info_cap_zpci_group.version(struct)),
                first ? OptionalInt.empty() : OptionalInt.of(longest));
    }

    /** A number of bytes, and the bytes. */
    private static List<Byte> bytes(MemorySegment capability, long sizeOffset, long bytesOffset) {
        long size = Integer.toUnsignedLong(capability.get(ValueLayout.JAVA_INT, sizeOffset));
        List<Byte> bytes = new ArrayList<>();
        for (long i = 0; i < size; i++) {
            bytes.add(capability.get(ValueLayout.JAVA_BYTE, bytesOffset + i));
        }
        return bytes;
    }
}
