package io.github.vfio4j.examples;

import io.github.vfio4j.AddressSpace;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.Group;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import java.util.HashMap;
import java.util.Map;

/** One address space for several devices, on either way. */
sealed interface SharedSpace extends AutoCloseable {
    /** Opens a device that reaches what is mapped here. */
    Device open(PciDevice found);

    /** Returns where to map memory, once a device is open. */
    AddressSpace memory();

    /** Closes everything. */
    @Override
    void close();

    /** A container and groups. */
    final class OfGroups implements SharedSpace {
        private final Vfio vfio;
        private final Container container;
        private final Map<Integer, Group> groups = new HashMap<>();
        private Type1 iommu;

        OfGroups(Vfio vfio) {
            this.vfio = vfio;
            this.container = vfio.openContainer();
        }

        @Override
        public Device open(PciDevice found) {
            int number = found.iommuGroup()
                    .orElseThrow(() -> new CommandException("no IOMMU group holds " + found));
            Group group = groups.computeIfAbsent(number, this::attach);
            if (iommu == null) {
                iommu = container.setIommu(IommuType.TYPE1_V2);
            }
            return iommu.openDevice(group, found.address());
        }

        private Group attach(int number) {
            Group group = vfio.openGroup(number);
            container.attach(group);
            return group;
        }

        @Override
        public AddressSpace memory() {
            return iommu;
        }

        @Override
        public void close() {
            container.close();
            groups.values().forEach(Group::close);
        }
    }

    /** An iommufd and devices by their own nodes. */
    final class OfNodes implements SharedSpace {
        private final Iommufd iommufd;
        private final Ioas ioas;

        OfNodes(Vfio vfio) {
            iommufd = vfio.openIommufd();
            ioas = iommufd.allocateIoas();
        }

        @Override
        public Device open(PciDevice found) {
            Device device = iommufd.openDevice(found.address());
            device.attach(ioas);
            return device;
        }

        @Override
        public AddressSpace memory() {
            return ioas;
        }

        @Override
        public void close() {
            iommufd.close();
        }
    }
}
