package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.sim.DmaFault.Reason;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What devices reach through the IOMMU, and what they don't. */
@Timeout(120)
class SimDmaTest {
    private static final PciAddress DEVICE = PciAddress.parse("0000:01:00.0");
    private static final long PAGE = 4096;

    private final TestModel model = new TestModel();
    private final SimMachine machine =
            SimMachine.builder().device(DEVICE, model).build();
    private final RawProcess p = RawProcess.on(machine);
    private Rig rig;

    @BeforeEach
    void open() {
        rig = p.openDevice(0, DEVICE.toString());
        p.command(rig.device(), 6);
    }

    private static MemorySegment bytes(int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i * 7 + 1);
        }
        return MemorySegment.ofArray(bytes);
    }

    private void assertFault(boolean write, long iova, long length, long at, Reason reason) {
        assertThat(machine.faults()).containsExactly(new DmaFault(DEVICE, write, iova, length, at, reason));
    }

    @Test
    void aDeviceReadsAndWritesWhatIsMapped() {
        long memory = p.mmap(2 * PAGE);
        check(p.map(rig.container(), 0x10000, memory, 2 * PAGE, READ | WRITE));
        MemorySegment sent = bytes(5000);
        assertThat(model.bus.dmaWrite(0x10123, sent)).isTrue();
        assertThat(p.at(memory + 0x123).asSlice(0, 5000).mismatch(sent)).isEqualTo(-1);
        MemorySegment back = MemorySegment.ofArray(new byte[5000]);
        assertThat(model.bus.dmaRead(0x10123, back)).isTrue();
        assertThat(back.mismatch(sent)).isEqualTo(-1);
        assertThat(machine.faults()).isEmpty();
    }

    @Test
    void anAccessCrossesMappingsThatFollowEachOther() {
        long high = p.mmap(PAGE);
        long low = p.mmap(PAGE);
        check(p.map(rig.container(), 0x11000, high, PAGE, WRITE));
        check(p.map(rig.container(), 0x10000, low, PAGE, WRITE));
        MemorySegment sent = bytes(64);
        assertThat(model.bus.dmaWrite(0x10fe0, sent)).isTrue();
        assertThat(p.at(low + 0xfe0).asSlice(0, 32).mismatch(sent.asSlice(0, 32))).isEqualTo(-1);
        assertThat(p.at(high).asSlice(0, 32).mismatch(sent.asSlice(32, 32))).isEqualTo(-1);
    }

    @Test
    void everySizeAndPlaceIsWrittenExactly() {
        long memory = p.mmap(PAGE);
        check(p.map(rig.container(), 0x10000, memory, PAGE, READ | WRITE));
        for (int offset = 0; offset < 16; offset++) {
            for (int size = 0; size < 40; size++) {
                p.at(memory).fill((byte) 0);
                MemorySegment sent = bytes(size);
                assertThat(model.bus.dmaWrite(0x10000 + offset, sent)).isTrue();
                assertThat(p.at(memory + offset).asSlice(0, size).mismatch(sent)).isEqualTo(-1);
                assertThat(p.at(memory + offset + size).get(ValueLayout.JAVA_BYTE, 0)).isZero();
            }
        }
    }

    @Test
    void whatIsNotMappedIsAFaultAndNothingIsWritten() {
        long memory = p.mmap(PAGE);
        check(p.map(rig.container(), 0x10000, memory, PAGE, READ | WRITE));
        assertThat(model.bus.dmaWrite(0x10ff0, bytes(32))).isFalse();
        assertFault(true, 0x10ff0, 32, 0x11000, Reason.NOT_MAPPED);
        assertThat(p.at(memory).toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void permissionsHold() {
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ));
        check(p.map(rig.container(), 0x20000, p.mmap(PAGE), PAGE, WRITE));
        assertThat(model.bus.dmaWrite(0x10000, bytes(4))).isFalse();
        assertThat(model.bus.dmaRead(0x20000, bytes(4))).isFalse();
        assertThat(machine.faults())
                .extracting(DmaFault::reason)
                .containsExactly(Reason.NOT_WRITABLE, Reason.NOT_READABLE);
    }

    @Test
    void withoutBusMasteringNothingIsReached() {
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ | WRITE));
        p.command(rig.device(), 2);
        assertThat(model.bus.dmaWrite(0x10000, bytes(4))).isFalse();
        assertFault(true, 0x10000, 4, 0x10000, Reason.BUS_MASTER_OFF);
    }

    @Test
    void anUnmappedRangeIsOutOfReach() {
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ | WRITE));
        assertThat(p.unmap(rig.container(), 0x10000, PAGE)).isEqualTo(PAGE);
        assertThat(model.bus.dmaRead(0x10000, bytes(4))).isFalse();
        assertFault(false, 0x10000, 4, 0x10000, Reason.NOT_MAPPED);
    }

    @Test
    void memoryThatWasFreedUnderTheDeviceIsAFault() {
        long memory = p.mmap(2 * PAGE);
        check(p.map(rig.container(), 0x10000, memory, 2 * PAGE, READ | WRITE));
        check(p.munmap(memory, PAGE));
        assertThat(model.bus.dmaWrite(0x11000, bytes(4))).isTrue(); // the other page is still there
        assertThat(model.bus.dmaWrite(0x10000, bytes(4))).isFalse();
        assertFault(true, 0x10000, 4, 0x10000, Reason.MEMORY_GONE);
        check(p.munmap(memory + PAGE, PAGE));
        assertThat(model.bus.dmaWrite(0x11000, bytes(4))).isFalse();
        long again = p.mmap(2 * PAGE); // perhaps at the same address; not what was mapped for DMA
        assertThat(model.bus.dmaWrite(0x10000, bytes(4))).isFalse();
        assertThat(p.at(again).get(INT, 0)).isZero();
    }

    @Test
    void aDeviceReachesTheBarOfAnotherThatIsMapped() {
        long bar = p.mmapFile(rig.device(), 0, PAGE);
        check(p.map(rig.container(), 0x10000, bar, PAGE, WRITE));
        assertThat(model.bus.dmaWrite(0x10000, bytes(4))).isTrue();
        assertThat(model.bus.bar(0).asSlice(0, 4).mismatch(bytes(4))).isEqualTo(-1);
    }

    @Test
    void aBusThatLostItsPowerReachesNothing() {
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ | WRITE));
        PciBus old = model.bus;
        p.close(rig.device());
        assertThat(old.dmaRead(0x10000, bytes(4))).isFalse();
        assertFault(false, 0x10000, 4, 0x10000, Reason.POWERED_OFF);
    }

    @Test
    void aFaultReadsAsASentence() {
        model.bus.dmaWrite(0x123000, bytes(8));
        assertThat(machine.faults().getFirst())
                .hasToString("0000:01:00.0: DMA write of 8 bytes at IOVA 0x123000 stopped at 0x123000:"
                        + " nothing is mapped there");
    }

    @Test
    void onlyTheFirstThousandFaultsAreKept() {
        for (int i = 0; i < 1500; i++) {
            model.bus.dmaRead(0x10000, bytes(1));
        }
        assertThat(machine.faults()).hasSize(1000);
    }

    @Test
    void onlyBarsThatCanBeMappedHaveMemory() {
        assertThat(model.bus.bar(0).byteSize()).isEqualTo(16384);
        assertThatIllegalArgumentException().isThrownBy(() -> model.bus.bar(2));
        assertThatIllegalArgumentException().isThrownBy(() -> model.bus.bar(1));
        assertThatIllegalArgumentException().isThrownBy(() -> model.bus.bar(6));
    }

    @Test
    void theEndOfAnEntryIsVisibleLast() throws Exception {
        long memory = p.mmap(PAGE);
        check(p.map(rig.container(), 0x10000, memory, PAGE, WRITE));
        MemorySegment seen = p.at(memory);
        AtomicBoolean stop = new AtomicBoolean();
        FutureTask<Long> device = new FutureTask<>(() -> {
            MemorySegment entry = MemorySegment.ofArray(new long[2]);
            long round = 0;
            while (!stop.get()) {
                round++;
                entry.set(ValueLayout.JAVA_LONG, 0, round);
                entry.set(ValueLayout.JAVA_LONG, 8, round);
                model.bus.dmaWrite(0x10000, entry);
            }
            return round;
        });
        Thread.ofPlatform().daemon().start(device);
        for (int i = 0; i < 200_000; i++) {
            long end = (long) SharedAccess.LONG.getAcquire(seen, 8L);
            long start = (long) SharedAccess.LONG.getOpaque(seen, 0L);
            assertThat(start).isGreaterThanOrEqualTo(end);
        }
        stop.set(true);
        assertThat(device.get(30, TimeUnit.SECONDS)).isPositive();
    }

    @Test
    void afterAnUnmapTheDeviceWritesNoMore() throws Exception {
        long memory = p.mmap(PAGE);
        AtomicBoolean stop = new AtomicBoolean();
        FutureTask<Void> device = new FutureTask<>(() -> {
            MemorySegment ones = MemorySegment.ofArray(new byte[4096]).fill((byte) 1);
            while (!stop.get()) {
                model.bus.dmaWrite(0x10000, ones);
            }
            return null;
        });
        Thread.ofPlatform().daemon().start(device);
        for (int round = 0; round < 300; round++) {
            check(p.map(rig.container(), 0x10000, memory, PAGE, WRITE));
            while (p.at(memory).get(ValueLayout.JAVA_BYTE, 0) == 0) {
                Thread.onSpinWait();
            }
            check((int) p.unmap(rig.container(), 0x10000, PAGE));
            p.at(memory).fill((byte) 0);
            for (int i = 0; i < 10; i++) {
                assertThat(p.at(memory).mismatch(MemorySegment.ofArray(new byte[4096]))).isEqualTo(-1);
            }
        }
        stop.set(true);
        device.get(30, TimeUnit.SECONDS);
    }

    @Test
    void memoryFreedInTheMiddleOfDmaIsAFaultAndNoCrash() throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        FutureTask<Void> device = new FutureTask<>(() -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment buffer = arena.allocate(1 << 20);
                while (!stop.get()) {
                    model.bus.dmaWrite(0x1000000, buffer);
                    model.bus.dmaRead(0x1000000, buffer);
                }
            }
            return null;
        });
        Thread.ofPlatform().daemon().start(device);
        for (int round = 0; round < 100; round++) {
            long memory = p.mmap(1 << 20);
            check(p.map(rig.container(), 0x1000000, memory, 1 << 20, READ | WRITE));
            Thread.yield();
            check(p.munmap(memory, 1 << 20));
            check((int) p.unmap(rig.container(), 0x1000000, 1 << 20));
        }
        stop.set(true);
        device.get(60, TimeUnit.SECONDS);
    }

    @Test
    void aCloseThatWaitsForTheModelDoesNotKeepItsDmaWaiting() throws Exception {
        check(p.map(rig.container(), 0x10000, p.mmap(PAGE), PAGE, READ | WRITE));
        AtomicBoolean stop = new AtomicBoolean();
        CountDownLatch running = new CountDownLatch(1);
        FutureTask<Integer> worker = new FutureTask<>(() -> {
            int written = 0;
            while (!stop.get()) {
                model.bus.dmaWrite(0x10000, bytes(64));
                model.bus.raise(0);
                written++;
                running.countDown();
            }
            return written;
        });
        Thread thread = Thread.ofPlatform().daemon().start(worker);
        model.beforePowerOff = () -> {
            stop.set(true);
            try {
                thread.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        };
        running.await();
        check(p.close(rig.device()));
        assertThat(worker.get(30, TimeUnit.SECONDS)).isPositive();
        assertThat(model.events).containsExactly("on", "off");
    }

    @Test
    void whileOneDeviceIsSlowToCloseTheRestOfTheMachineWorks() throws Exception {
        CountDownLatch closing = new CountDownLatch(1);
        CountDownLatch mayEnd = new CountDownLatch(1);
        model.beforePowerOff = () -> {
            closing.countDown();
            try {
                mayEnd.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        };
        FutureTask<Integer> close = new FutureTask<>(() -> p.close(rig.device()));
        Thread.ofPlatform().daemon().start(close);
        closing.await();
        assertThat(p.openContainer()).isPositive();
        assertThat(p.status(rig.group())).isEqualTo(VIABLE | CONTAINER_SET);
        assertThat(p.unsetContainer(rig.group())).isEqualTo(-Errnos.EBUSY); // until it is closed
        mayEnd.countDown();
        assertThat(close.get(30, TimeUnit.SECONDS)).isZero();
        assertThat(p.unsetContainer(rig.group())).isZero();
    }
}
