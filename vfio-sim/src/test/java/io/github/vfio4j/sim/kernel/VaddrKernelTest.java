package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Rule;
import io.github.vfio4j.Type1;
import org.junit.jupiter.api.Test;

/** Mappings lose the program's address and get it anew; devices keep reaching the memory. */
class VaddrKernelTest extends KernelTest {
    private final Container container = vfio.openContainer();
    private final Group group = openGroupOf(machine.nvme());
    private final Type1 iommu = setIommu();

    private Type1 setIommu() {
        container.attach(group);
        return container.setIommu(IommuType.TYPE1_V2);
    }

    @Test
    void aType1IommuBehindTheIommuCanUpdateAddresses() {
        assertThat(iommu.updatesAddresses()).isTrue();
    }

    @Test
    void anAddressIsTakenOnceAndGivenOnce() {
        DmaBuffer buffer = iommu.allocate(8192, Access.READ_WRITE);
        assertRefused(Rule.MAP_ADDRESS_AWAITED, () -> iommu.giveAddress(buffer));
        iommu.takeAddress(buffer);
        assertRefused(Rule.UNMAP_ADDRESS, () -> iommu.takeAddress(buffer));
        iommu.giveAddress(buffer);
        assertRefused(Rule.MAP_ADDRESS_AWAITED, () -> iommu.giveAddress(buffer));
        iommu.takeAddress(buffer);
        iommu.giveAddress(buffer);
    }

    @Test
    void noGroupJoinsWhileAnAddressIsMissing() {
        DmaBuffer buffer = iommu.allocate(4096, Access.READ);
        Group other = openGroupOf(machine.loner());
        iommu.takeAddress(buffer);
        assertRefused(Rule.SET_CONTAINER_ADDRESSES, () -> container.attach(other));
        iommu.giveAddress(buffer);
        container.attach(other);
    }

    @Test
    void aBufferWithoutItsAddressCanBeClosed() {
        DmaBuffer buffer = iommu.allocate(4096, Access.READ);
        iommu.takeAddress(buffer);
        buffer.close();
        assertRefused(Rule.MAP_ADDRESS_TARGET, () -> iommu.giveAddress(buffer));
        assertThatIllegalArgumentException().isThrownBy(() -> iommu.takeAddress(buffer));
        container.attach(openGroupOf(machine.loner())); // nothing waits for an address any more
    }

    @Test
    void everythingEndsWithTheLastGroup() {
        DmaBuffer buffer = iommu.allocate(4096, Access.READ);
        iommu.takeAddress(buffer);
        container.detach(group);
        assertRefused(Rule.MAP_NEEDS_IOMMU, () -> iommu.giveAddress(buffer));
        assertRefused(Rule.UNMAP_NEEDS_IOMMU, () -> iommu.takeAddress(buffer));
        assertRefused(Rule.INFO_NEEDS_IOMMU, iommu::updatesAddresses);
    }
}
