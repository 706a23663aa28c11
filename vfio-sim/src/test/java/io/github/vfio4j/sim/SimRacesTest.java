package io.github.vfio4j.sim;

import static io.github.vfio4j.sim.RawProcess.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.PciAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Many threads that call whatever they like: nobody waits for ever, nothing is left, nothing is held twice. */
class SimRacesTest {
    private static final List<PciAddress> DEVICES = List.of(
            PciAddress.parse("0000:01:00.0"), PciAddress.parse("0000:01:00.1"), PciAddress.parse("0000:02:00.0"));
    private static final int[] GROUPS = {26, 26, 27};

    @Test
    void randomCallsOfManyThreadsEndWithEverythingClosed() throws Exception {
        long seed = System.nanoTime();
        System.out.println("random system calls, seed " + seed);
        Random seeds = new Random(seed);
        long opens = 0;
        for (int round = 0; round < 40; round++) {
            List<TestModel> models = List.of(new TestModel(4, 0), new TestModel(), new TestModel());
            SimMachine.Builder builder = SimMachine.builder();
            for (int i = 0; i < DEVICES.size(); i++) {
                builder.device(DEVICES.get(i), models.get(i), GROUPS[i], SimMachine.VFIO_PCI);
            }
            try (SimMachine machine = builder.build()) {
                RawProcess one = RawProcess.on(machine);
                RawProcess two = RawProcess.on(machine);
                List<FutureTask<Void>> threads = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    Random random = new Random(seeds.nextLong());
                    RawProcess process = i % 2 == 0 ? one : two;
                    threads.add(start(() -> callAtRandom(process, random, models)));
                }
                Random random = new Random(seeds.nextLong());
                threads.add(start(() -> bindAtRandom(machine, random)));
                for (FutureTask<Void> thread : threads.subList(0, 4)) {
                    thread.get(60, TimeUnit.SECONDS);
                }
                one.process.kill();
                two.process.kill();
                threads.getLast().get(60, TimeUnit.SECONDS); // nobody holds up an unbind any more
                assertThat(machine.leaks()).isEmpty();
                assertThat(one.process.pinnedBytes() + two.process.pinnedBytes()).isZero();
                for (TestModel model : models) {
                    long on = model.events.stream().filter("on"::equals).count();
                    assertThat(model.events.stream().filter("off"::equals).count()).isEqualTo(on);
                    opens += on;
                }
                RawProcess last = RawProcess.on(machine);
                assertThat(last.openDevice(27, DEVICES.getLast().toString()).device()).isPositive();
            }
        }
        System.out.println("devices were opened " + opens + " times");
        assertThat(opens).isPositive();
    }

    private static FutureTask<Void> start(Runnable work) {
        FutureTask<Void> task = new FutureTask<>(work, null);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }

    private static void bindAtRandom(SimMachine machine, Random random) {
        for (int i = 0; i < 20; i++) {
            PciAddress address = DEVICES.get(random.nextInt(2)); // the third one stays
            machine.unbind(address);
            if (random.nextBoolean()) {
                try {
                    machine.bind(address, "e1000");
                    machine.unbind(address);
                } catch (IllegalStateException e) {
                    assertThat(e).hasMessageContaining("EBUSY"); // the group is in a container
                }
            }
            machine.bind(address, SimMachine.VFIO_PCI);
        }
    }

    private static void callAtRandom(RawProcess p, Random random, List<TestModel> models) {
        int[] lately = {3, 3, 3}; // a container, a group and a device that this thread opened; others may close them
        for (int i = 0; i < 1500; i++) {
            int any = 3 + random.nextInt(8);
            int container = random.nextInt(5) == 0 ? any : lately[0];
            int group = random.nextInt(5) == 0 ? any : lately[1];
            int device = random.nextInt(5) == 0 ? any : lately[2];
            int which = random.nextInt(DEVICES.size());
            switch (random.nextInt(20)) {
                case 0, 1 -> lately[0] = kept(p.openContainer(), lately[0]);
                case 2, 3 -> lately[1] = kept(p.openGroup(GROUPS[which]), lately[1]);
                case 4, 5 -> p.setContainer(group, container);
                case 6, 7 -> p.setIommu(container, TYPE1V2);
                case 8, 9, 10 -> lately[2] = kept(p.deviceFd(group, DEVICES.get(which).toString()), lately[2]);
                case 11 -> p.close(device);
                case 12 -> p.close(any);
                case 13 -> p.unsetContainer(group);
                case 14 -> {
                    long bar = p.mmapFile(device, 0, 8192);
                    if (bar > 0) {
                        p.munmap(bar, 8192);
                    }
                }
                case 15 -> {
                    long memory = p.mmap(4096);
                    p.map(container, 0x10000 + 4096L * random.nextInt(4), memory, 4096, READ | WRITE);
                    p.munmap(memory, 4096);
                }
                case 16 -> p.unmap(container, 0, 0, UNMAP_ALL);
                case 17 -> p.ioctl(device, DEVICE_RESET, 0);
                case 18 -> {
                    int event = p.eventfd(0, 0x800);
                    p.ioctl(device, DEVICE_SET_IRQS, p.ints(24, 4 | 32, 2, 0, 1, event));
                    p.close(event);
                }
                default -> {
                    PciBus bus = models.get(which).bus;
                    p.pwrite(device, p.ints(6), (7L << 40) + 4);
                    if (bus != null) {
                        bus.raise(0);
                        bus.dmaWrite(0x10000, p.memory(64));
                    }
                }
            }
        }
    }

    private static int kept(int opened, int before) {
        return opened > 0 ? opened : before;
    }
}
