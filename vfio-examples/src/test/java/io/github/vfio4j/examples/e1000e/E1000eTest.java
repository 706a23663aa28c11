package io.github.vfio4j.examples.e1000e;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.examples.Allocations;
import io.github.vfio4j.examples.net.NetPort;
import io.github.vfio4j.examples.net.PacketPool;
import io.github.vfio4j.examples.net.PacketStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class E1000eTest {
    private static final int ENTRIES = 64;
    private static final long SEED = 9;

    private final NetRig rig = new NetRig(2);
    private final PacketPool pool = rig.pool(512);
    private final NetPort one = rig.start(0, pool, ENTRIES);
    private final NetPort other = rig.start(1, pool, ENTRIES);
    private final int[] packets = new int[ENTRIES];

    @AfterEach
    void close() {
        one.close();
        other.close();
        assertThat(rig.machine.faults()).isEmpty();
        rig.close();
    }

    @Test
    void itKnowsItsAddressAndItsLink() {
        assertThat(one.macAddress()).isEqualTo(0x0605_0403_0200L);
        assertThat(other.macAddress()).isEqualTo(0x0705_0403_0200L);
        assertThat(one.linkUp()).isTrue();
    }

    @Test
    void nothingArrivesWhereNothingWasSent() {
        assertThat(one.receive(packets, ENTRIES)).isZero();
        assertThat(one.send(packets, 0)).isZero();
    }

    @ParameterizedTest(name = "{0} bytes")
    @ValueSource(ints = {64, 65, 100, 1000, 1514})
    void aPacketArrivesAsItWasSent(int bytes) {
        int packet = pool.take();
        for (int i = 0; i < bytes; i += 8) {
            pool.data().write64Plain(PacketPool.offset(packet) + i, 0x0101010101010101L * (i / 8 % 255 + 1));
        }
        pool.length(packet, bytes);
        packets[0] = packet;
        assertThat(one.send(packets, 1)).isEqualTo(1);
        int arrived = await(other);
        assertThat(pool.length(arrived)).isEqualTo(bytes);
        long wrong = pool.data().segment().asSlice(PacketPool.offset(arrived), bytes)
                .mismatch(pool.data().segment().asSlice(PacketPool.offset(packet), bytes));
        assertThat(wrong).as("the first byte that differs").isEqualTo(-1);
        assertThat(arrived).isNotEqualTo(packet);
        assertThat(one.statistics().sent()).isEqualTo(1);
        assertThat(one.statistics().sentBytes()).isEqualTo(bytes);
        assertThat(other.statistics().received()).isEqualTo(1);
        assertThat(other.statistics().receivedBytes()).isEqualTo(bytes);
    }

    @Test
    void manyPacketsArriveInOrderAndWhole() {
        System.out.println("seed " + SEED);
        PacketStream stream = stream();
        while (stream.sent() < 20_000 || stream.onTheWay() > 0) {
            stream.send(20_000);
            stream.receive();
        }
        assertThat(stream.received()).isEqualTo(20_000);
        assertThat(stream.lost() + stream.reordered() + stream.corrupted()).isZero();
    }

    @Test
    void aFullRingAcceptsNoMoreAndTheRestStaysWithTheCaller() {
        rig.devices.getFirst().region(0).map().write32Release(0x400, 0); // TCTL: the transmitter stops
        assertThat(one.send(packets, take(40))).isEqualTo(40);
        int room = ENTRIES - 1 - 40;
        assertThat(one.send(packets, take(40))).isEqualTo(room);
        for (int i = room; i < 40; i++) {
            pool.give(packets[i]); // they are still ours
        }
        assertThat(one.send(packets, take(1))).isZero();
        pool.give(packets[0]);
        assertThat(one.statistics().sent()).isEqualTo(ENTRIES - 1);
    }

    private int take(int count) {
        for (int i = 0; i < count; i++) {
            packets[i] = pool.take();
            pool.length(packets[i], 64);
        }
        return count;
    }

    @Test
    void withoutAPacketToPutInItsPlaceWhatArrivesIsDroppedAndCounted() {
        int sent = take(10);
        while (pool.take() != PacketPool.NONE) {
            // the pool is empty now
        }
        assertThat(one.send(packets, sent)).isEqualTo(sent);
        while (other.statistics().withoutBuffer() < sent) {
            assertThat(other.receive(packets, ENTRIES)).isZero();
        }
        assertThat(other.statistics().received()).isZero();
    }

    @Test
    void aPacketThatTheDeviceSaysIsBadIsLostAndCounted() {
        one.close();
        DmaBuffer rings = rig.rings(ENTRIES);
        try (NetPort port = rig.start(0, rings, pool, ENTRIES)) {
            long done = 60 | 1L << 32;
            long end = 1L << 33;
            rings.segment().set(JAVA_LONG, 8, done | end | 1L << 40); // a wrong checksum
            rings.segment().set(JAVA_LONG, 24, done); // without its end
            rings.segment().set(JAVA_LONG, 40, done | end);
            assertThat(port.receive(packets, ENTRIES)).isZero();
            assertThat(port.receive(packets, ENTRIES)).isZero();
            assertThat(port.receive(packets, ENTRIES)).isEqualTo(1);
            pool.give(packets[0]);
            assertThat(port.statistics().bad()).isEqualTo(2);
            assertThat(port.statistics().received()).isEqualTo(1);
        }
    }

    @Test
    void whatDoesNotFitIntoTheReceiversRingIsMissedAndTheRestIsWhole() {
        PacketStream flood = new PacketStream(
                pool, one, other, other.macAddress(), other.macAddress(), one.macAddress(), SEED, 64, 10_000);
        while (rig.models.getLast().missed() == 0) {
            flood.send(Long.MAX_VALUE);
        }
        long until = flood.sent() + 100;
        while (flood.sent() < until) {
            flood.send(until);
            flood.receive();
        }
        for (int i = 0; i < 1_000_000 && flood.onTheWay() > 0; i++) {
            flood.receive();
        }
        assertThat(flood.reordered() + flood.corrupted()).isZero();
        assertThat(flood.received()).isPositive();
        assertThat(flood.received() + rig.models.getLast().missed()).isEqualTo(flood.sent());
    }

    @Test
    void aClosedPortUsesTheMemoryNoMoreAndGivesEveryPacketBack() {
        PacketStream stream = stream();
        for (int i = 0; i < 100; i++) {
            stream.send(1_000_000);
        }
        other.close();
        one.close();
        assertThat(pool.available()).isEqualTo(pool.size());
        assertThat(rig.devices.getFirst().region(0).map().read32Acquire(0x100)).as("RCTL").isZero();
    }

    @Test
    void itStartsAgainAfterItWasClosed() {
        one.close();
        try (NetPort again = rig.start(0, pool, ENTRIES)) {
            packets[0] = pool.take();
            pool.length(packets[0], 64);
            again.send(packets, 1);
            pool.give(await(other));
        }
    }

    @ParameterizedTest(name = "{0} entries")
    @ValueSource(ints = {0, 4, 100, 8192})
    void aRingHasAPowerOfTwoOfEntries(int entries) {
        assertThatThrownBy(() -> rig.start(0, pool, entries)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aPoolThatIsTooSmallIsRefused() {
        assertThatThrownBy(() -> rig.start(0, rig.pool(62), ENTRIES))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("62 packets are too few");
    }

    @Test
    void packetsComeAndGoWithoutAllocation() {
        PacketStream stream = stream();
        long[] until = new long[1];
        long least = Allocations.leastOf(() -> {
            until[0] += 2000;
            while (stream.sent() < until[0] || stream.onTheWay() > 0) {
                stream.send(until[0]);
                stream.receive();
            }
        });
        assertThat(least).isZero();
        assertThat(stream.lost() + stream.reordered() + stream.corrupted()).isZero();
    }

    @Test
    void aRegisterIsReachedWithoutAllocation() {
        Mmio registers = rig.devices.getFirst().region(0).map();
        long least = Allocations.leastOf(() -> {
            for (int i = 0; i < 10_000; i++) {
                registers.write32Release(0x5200, i);
                if (registers.flush(0x5200) != i) {
                    throw new AssertionError();
                }
            }
        });
        assertThat(least).isZero();
    }

    private PacketStream stream() {
        return new PacketStream(
                pool, one, other, other.macAddress(), other.macAddress(), one.macAddress(), SEED, 1514, ENTRIES / 2);
    }

    private static int await(NetPort port) {
        int[] packet = new int[1];
        while (port.receive(packet, 1) == 0) {
            Thread.onSpinWait();
        }
        return packet[0];
    }
}
