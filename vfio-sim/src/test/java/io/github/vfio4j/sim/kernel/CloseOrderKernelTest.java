package io.github.vfio4j.sim.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handles are closed in every order, by one thread. */
@Timeout(300)
class CloseOrderKernelTest extends KernelTest {
    private static final boolean REAL =
            System.getProperty("vfio4j.kernel", "sim").equals("linux");

    /** A real machine takes a tenth of a second for an order, and where opening a device resets it, much longer. */
    private static final int MOST_REAL = 60;

    @Test
    void everyOrderOfClosingEndsWhatItShouldAndLeavesNothingOpen() {
        List<String> names = List.of("memory", "interrupts", "waiter", "device", "group", "container");
        for (List<String> order : permutations(names)) {
            closeInOrder(List.of(machine.loner()), order);
        }
    }

    @Test
    void everyOrderOfClosingTwoDevicesOfOneGroupEndsWhatItShouldAndLeavesNothingOpen() {
        List<String> names =
                List.of("memory", "interrupts", "waiter", "device", "second device", "group", "container");
        List<List<String>> orders = permutations(names);
        assertThat(orders).hasSize(5040);
        for (List<String> order : chosen(orders)) {
            closeInOrder(machine.siblings(), order);
        }
    }

    @Test
    void everyOrderInWhichTheRootIsClosedAfterSomeHandlesLeavesNothingOpen() {
        List<String> names = List.of("memory", "interrupts", "waiter", "device", "group", "container");
        List<List<String>> orders = chosen(permutations(names));
        for (int i = 0; i < orders.size(); i++) {
            closeInOrder(List.of(machine.loner()), orders.get(i).subList(0, i % 6)); // the root closes the rest
        }
    }

    /** All orders; on a real machine some of them, others each time. */
    private static List<List<String>> chosen(List<List<String>> orders) {
        if (!REAL) {
            return orders;
        }
        long seed = System.nanoTime();
        Collections.shuffle(orders, new Random(seed));
        System.out.printf("%d of %d close orders, seed %d%n", MOST_REAL, orders.size(), seed);
        return orders.subList(0, MOST_REAL);
    }

    /** Closes handles, then the root, and watches after each close what works and what reaches the kernel. */
    private void closeInOrder(List<PciAddress> devices, List<String> order) {
        Vfio root = machine.open();
        Pile pile = new Pile(root, devices);
        Set<String> closed = new HashSet<>();
        for (String name : order) {
            closed.add(name);
            close(pile.closes.get(name), name, order);
            for (Pile.Use use : pile.uses) {
                long calls = machine.calls();
                boolean ended = !Collections.disjoint(use.endedBy(), closed);
                assertThat(use.works()).as("%s after %s of %s", use.what(), name, order).isEqualTo(!ended);
                if (ended) {
                    assertThat(machine.calls()).as("calls of the dead %s", use.what()).isEqualTo(calls);
                }
            }
        }
        close(root, "root", order);
        assertThat(machine.filesAndMappings()).as("after %s", order).isEmpty();
        long calls = machine.calls();
        pile.closes.values().forEach(handle -> close(handle, "again", order));
        pile.uses.forEach(use -> assertThat(use.works()).as(use.what()).isFalse());
        assertThat(machine.calls()).as("calls when all is closed").isEqualTo(calls);
    }

    private static void close(AutoCloseable handle, String name, List<String> order) {
        try {
            handle.close();
        } catch (Exception e) {
            throw new AssertionError("closing " + name + " of " + order, e);
        }
    }

    static List<List<String>> permutations(List<String> names) {
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
