package io.github.vfio4j.examples.virtio;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.Group;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.examples.Allocations;
import io.github.vfio4j.examples.driver.DmaSlices;
import io.github.vfio4j.examples.models.E1000eModel;
import io.github.vfio4j.examples.models.VirtioNetModel;
import io.github.vfio4j.examples.models.Wire;
import io.github.vfio4j.examples.net.NetException;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.net.PacketStream;
import io.github.vfio4j.sim.SimMachine;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** With event index and without. */
@ParameterizedClass(name = "event index {0}")
@ValueSource(booleans = {true, false})
@Timeout(60)
class VirtioNetTest {
    private static final PciAddress ONE = PciAddress.parse("00:07.0");
    private static final PciAddress OTHER = PciAddress.parse("00:08.0");
    private static final PciAddress STRANGER = PciAddress.parse("00:09.0");
    private static final int ENTRIES = 64;

    private final VirtioNetModel oneModel;
    private final VirtioNetModel otherModel;
    private final SimMachine machine;
    private final Vfio vfio;
    private final Container container;
    private final Type1 iommu;
    private final Device oneDevice;
    private final PacketPool pool;
    private final VirtioNet one;
    private final VirtioNet other;
    private final int[] packets = new int[2 * ENTRIES];
    private boolean faultsExpected;

    VirtioNetTest(boolean eventIndex) {
        oneModel = new VirtioNetModel(0x0605_0403_0252L, eventIndex);
        otherModel = new VirtioNetModel(0x0705_0403_0252L, eventIndex);
        Wire.connect(oneModel, otherModel);
        machine = SimMachine.builder()
                .device(ONE, oneModel)
                .device(OTHER, otherModel)
                .device(STRANGER, new E1000eModel(1))
                .build();
        vfio = machine.open();
        container = vfio.openContainer();
        Group oneGroup = attach(ONE);
        Group otherGroup = attach(OTHER);
        iommu = container.setIommu(IommuType.TYPE1_V2);
        oneDevice = iommu.openDevice(oneGroup, ONE);
        Device otherDevice = iommu.openDevice(otherGroup, OTHER);
        pool = new PacketPool(iommu.allocate(PacketPool.bytesFor(512), Access.READ_WRITE));
        one = start(oneDevice);
        other = start(otherDevice);
    }

    private Group attach(PciAddress address) {
        Group group = vfio.openGroup(vfio.pciDevice(address).iommuGroup().orElseThrow());
        container.attach(group);
        return group;
    }

    private VirtioNet start(Device device) {
        device.config().enableBusMaster();
        return VirtioNet.start(device, new DmaSlices(iommu.allocate(16384, Access.READ_WRITE), 64), pool, ENTRIES);
    }

    @AfterEach
    void close() {
        one.close();
        other.close();
        if (!faultsExpected) {
            assertThat(machine.faults()).isEmpty();
        }
        vfio.close();
        assertThat(machine.leaks()).isEmpty();
    }

    @Test
    void itKnowsItsAddressAndItsLink() {
        assertThat(one.macAddress()).isEqualTo(0x0605_0403_0252L);
        assertThat(other.macAddress()).isEqualTo(0x0705_0403_0252L);
        assertThat(one.linkUp()).isTrue();
    }

    @Test
    void manyPacketsArriveInOrderAndWhole() {
        PacketStream stream = stream(1514, ENTRIES / 2);
        run(stream, 50_000);
        assertThat(one.statistics().sent()).isEqualTo(50_000);
        assertThat(other.statistics().received()).isEqualTo(50_000);
        assertThat(other.statistics().receivedBytes()).isEqualTo(one.statistics().sentBytes());
    }

    /** One packet at a time: the device says that it sleeps just when the next packet comes. */
    @Test
    void noNotificationIsMissed() {
        run(stream(64, 1), 50_000);
        run(stream(64, 2), 50_000);
    }

    @Test
    void aDeviceThatIsAwakeIsNotNotified() {
        for (int i = 0; i < ENTRIES; i++) {
            packets[i] = pool.take();
            pool.length(packets[i], 64);
        }
        while (oneModel.notified() == 0) { // of the packets to receive into
            Thread.onSpinWait();
        }
        long before = oneModel.notified();
        assertThat(one.send(packets, ENTRIES)).isEqualTo(ENTRIES);
        while (one.send(packets, 0) == 0 && pool.available() < 512 - 2 * ENTRIES) {
            Thread.onSpinWait();
        }
        assertThat(oneModel.notified() - before).as("notifications of %d packets", ENTRIES).isEqualTo(1);
    }

    @Test
    void aFullQueueAcceptsNoMore() {
        oneDevice.config().disableBusMaster(); // the device gets nowhere
        for (int i = 0; i < 2 * ENTRIES; i++) {
            packets[i] = pool.take();
            pool.length(packets[i], 64);
        }
        assertThat(one.send(packets, 2 * ENTRIES)).isEqualTo(ENTRIES);
        assertThat(one.send(packets, 2 * ENTRIES)).isZero();
        one.close();
        assertThat(pool.available()).isEqualTo(512 - 2 * ENTRIES); // other's, and those that were not accepted
        faultsExpected = true;
    }

    @Test
    void aClosedPortUsesTheMemoryNoMoreAndGivesEveryPacketBack() {
        PacketStream stream = stream(1514, 1000);
        for (int i = 0; i < 100; i++) {
            stream.send(1_000_000);
        }
        one.close();
        other.close();
        assertThat(pool.available()).isEqualTo(pool.size());
    }

    @Test
    void packetsComeAndGoWithoutAllocation() {
        PacketStream stream = stream(1514, ENTRIES / 2);
        long[] until = new long[1];
        assertThat(Allocations.leastOf(() -> {
                    until[0] += 2000;
                    run(stream, until[0]);
                }))
                .isZero();
    }

    @Test
    void anotherDeviceIsNoVirtioCard() {
        try (Device stranger = vfio.openDevice(STRANGER)) {
            assertThatThrownBy(() -> VirtioNet.start(stranger, null, pool, ENTRIES))
                    .isInstanceOf(NetException.class)
                    .hasMessageContaining("no modern virtio device");
        }
    }

    private PacketStream stream(int longest, int window) {
        return new PacketStream(
                pool, one, other, other.macAddress(), other.macAddress(), one.macAddress(), 17, longest, window);
    }

    private static void run(PacketStream stream, long packets) {
        long idle = 0;
        while (stream.sent() < packets || stream.onTheWay() > 0) {
            idle = stream.send(packets) + stream.receive() > 0 ? 0 : idle + 1;
            if (idle > 2_000_000_000L) {
                throw new AssertionError("stuck after %d of %d packets".formatted(stream.received(), packets));
            }
        }
        if (stream.lost() + stream.reordered() + stream.corrupted() != 0) {
            throw new AssertionError("%d lost, %d out of order, %d changed"
                    .formatted(stream.lost(), stream.reordered(), stream.corrupted()));
        }
    }
}
