package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.Access;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Handles are closed in every order, by one thread and by several at once. */
class CloseOrderKernelTest extends KernelTest {
    /** Opening some devices takes a reset of 100 ms and more on a real machine. */
    private static final boolean REAL =
            System.getProperty("vfio4j.kernel", "sim").equals("linux");

    @Test
    void everyOrderOfClosingLeavesNothingOpenAndTheDeviceUsable() {
        List<List<String>> orders = permutations(List.of("memory", "device", "group", "container"));
        assertThat(orders).hasSize(24);
        for (List<String> order : orders) {
            Map<String, AutoCloseable> handles = handles(machine.loner());
            for (String name : order) {
                close(handles.get(name));
            }
            assertThat(machine.filesAndMappings()).as("after %s", order).isEmpty();
        }
    }

    @Test
    void everyOrderOfClosingTwoDevicesOfOneGroupLeavesNothingOpen() {
        List<List<String>> orders =
                permutations(List.of("memory", "device", "second device", "group", "container"));
        long seed = System.nanoTime();
        Collections.shuffle(orders, new Random(seed));
        List<List<String>> chosen = REAL ? orders.subList(0, 12) : orders;
        if (REAL) {
            System.out.println("12 of 120 close orders, seed " + seed);
        }
        for (List<String> order : chosen) {
            List<PciAddress> siblings = machine.siblings();
            Stack first = open(siblings.getFirst());
            Device second = first.iommu().openDevice(first.group(), siblings.getLast());
            Map<String, AutoCloseable> handles = new LinkedHashMap<>();
            handles.put("memory", first.iommu().allocate(8192, Access.READ_WRITE));
            handles.put("device", first.device());
            handles.put("second device", second);
            handles.put("group", first.group());
            handles.put("container", first.container());
            for (String name : order) {
                close(handles.get(name));
            }
            assertThat(machine.filesAndMappings()).as("after %s", order).isEmpty();
        }
    }

    @Test
    void afterAnyFirstCloseTheMappedRegistersThrowOrWorkButNeverCrash() {
        for (String firstClosed : List.of("memory", "device", "group", "container")) {
            Map<String, AutoCloseable> handles = handles(machine.loner());
            Mmio registers = ((Device) handles.get("device")).region(0).map();
            close(handles.get(firstClosed));
            boolean works;
            try {
                registers.read32Opaque(0);
                works = true;
            } catch (IllegalStateException e) {
                works = false;
            }
            assertThat(works).as("registers after the close of the %s", firstClosed).isEqualTo(firstClosed.equals("memory"));
            handles.values().forEach(CloseOrderKernelTest::close);
        }
    }

    @Test
    void closesOfSeveralThreadsAtOnceLeaveNothingOpen() throws Exception {
        int rounds = REAL ? 20 : 300;
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            for (int round = 0; round < rounds; round++) {
                Map<String, AutoCloseable> handles = handles(machine.loner());
                CyclicBarrier start = new CyclicBarrier(handles.size());
                List<Future<?>> closes = new ArrayList<>();
                for (AutoCloseable handle : handles.values()) {
                    closes.add(threads.submit(() -> {
                        start.await();
                        handle.close();
                        return null;
                    }));
                }
                for (Future<?> close : closes) {
                    close.get(30, TimeUnit.SECONDS);
                }
                assertThat(machine.filesAndMappings()).as("after round %d", round).isEmpty();
            }
        }
    }

    @Test
    void aCloseOfEverythingWhileAThreadReadsRegistersEndsThatThreadWithAnException() throws Exception {
        int rounds = REAL ? 5 : 50;
        try (ExecutorService threads = Executors.newSingleThreadExecutor()) {
            for (int round = 0; round < rounds; round++) {
                Stack loner = open(machine.loner());
                Mmio registers = loner.device().region(0).map();
                CyclicBarrier start = new CyclicBarrier(2);
                Future<Integer> reader = threads.submit(() -> {
                    start.await();
                    int sum = 0;
                    while (true) {
                        sum += registers.read32Opaque(0);
                    }
                });
                start.await();
                loner.container().close();
                try {
                    reader.get(30, TimeUnit.SECONDS);
                } catch (ExecutionException e) {
                    assertThat(e).hasCauseInstanceOf(IllegalStateException.class);
                }
                loner.group().close();
            }
        }
    }

    private Map<String, AutoCloseable> handles(PciAddress address) {
        Stack stack = open(address);
        stack.device().region(0).map();
        DmaBuffer memory = stack.iommu().allocate(8192, Access.READ_WRITE);
        Map<String, AutoCloseable> handles = new LinkedHashMap<>();
        handles.put("memory", memory);
        handles.put("device", stack.device());
        handles.put("group", stack.group());
        handles.put("container", stack.container());
        return handles;
    }

    private static void close(AutoCloseable handle) {
        try {
            handle.close();
        } catch (Exception e) {
            throw new AssertionError("closing " + handle, e);
        }
    }

    private static List<List<String>> permutations(List<String> names) {
        if (names.isEmpty()) {
            return List.of(List.of());
        }
        List<List<String>> all = new ArrayList<>();
        for (String first : names) {
            List<String> rest = new ArrayList<>(names);
            rest.remove(first);
            for (List<String> tail : permutations(rest)) {
                List<String> order = new ArrayList<>(List.of(first));
                order.addAll(tail);
                all.add(order);
            }
        }
        return all;
    }
}
