package io.github.vfio4j.sim.kernel;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.Group;
import io.github.vfio4j.Ioas;
import io.github.vfio4j.Iommufd;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Type1;
import java.util.UUID;

/**
 * The cases of the kernel's selftests for VFIO (tools/testing/selftests/vfio of Linux 7.2), through the library. A class is
 * named as the selftest's program is, and each case as there: fixture, variant and test. Where a selftest makes a call that
 * the kernel must refuse, the library refuses it first.
 */
abstract class SelftestKernelTest extends KernelTest {
    /** One IO address space for many devices. Safe from any thread. */
    interface Opener {
        default Device open(PciAddress address) {
            return open(address, null);
        }

        /** Opens it with a token, if that is not null. */
        Device open(PciAddress address, UUID vfToken);
    }

    /** Opens what a mode needs before the first device. */
    Opener open(IommuMode mode) {
        assumeTrue(!mode.needsIommufd() || machine.hasIommufd(), "this kernel has no iommufd");
        if (mode.type().isPresent()) {
            return new OfContainer(mode, mode.needsIommufd() ? vfio.openIommufdContainer() : vfio.openContainer());
        }
        Iommufd iommufd = vfio.openIommufd();
        Ioas ioas = iommufd.allocateIoas();
        return (address, token) -> {
            Device device = token == null ? iommufd.openDevice(address) : iommufd.openDevice(address, token);
            device.attach(ioas);
            return device;
        };
    }

    Device open(IommuMode mode, PciAddress address) {
        return open(mode).open(address);
    }

    private final class OfContainer implements Opener {
        private final IommuMode mode;
        private final Container container;
        private Type1 iommu; // guarded by this

        OfContainer(IommuMode mode, Container container) {
            this.mode = mode;
            this.container = container;
        }

        @Override
        public Device open(PciAddress address, UUID token) {
            Group group = openGroupOf(address);
            container.attach(group);
            return token == null ? iommu().openDevice(group, address) : iommu().openDevice(group, address, token);
        }

        /** Whoever comes first with a group sets the IOMMU. */
        private synchronized Type1 iommu() {
            if (iommu == null) {
                iommu = container.setIommu(mode.type().orElseThrow());
            }
            return iommu;
        }
    }
}
