package io.github.vfio4j.bench;

import io.github.vfio4j.spi.EventPort;
import io.github.vfio4j.spi.Kernel;
import io.github.vfio4j.spi.KernelProvider;
import io.github.vfio4j.spi.WaitPort;
import java.util.ServiceLoader;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** An eventfd is signalled and the thread that waits for it wakes: two such wake-ups, there and back. */
@State(Scope.Thread)
public class EventBenchmark {
    private final Kernel kernel =
            ServiceLoader.load(KernelProvider.class).findFirst().orElseThrow().kernel();
    private final Side here = new Side(kernel);
    private final Side there = new Side(kernel);
    private volatile boolean done;
    private Thread answering;

    /** Starts the other side. */
    @Setup
    public void start() {
        answering = Thread.ofPlatform().daemon().start(() -> {
            while (true) {
                there.await();
                if (done) {
                    return;
                }
                here.event.write();
            }
        });
    }

    /** Ends the other side. */
    @TearDown
    public void stop() throws InterruptedException {
        done = true;
        there.event.write();
        answering.join();
    }

    /** There and back. */
    @Benchmark
    public void wake() {
        there.event.write();
        here.await();
    }

    private static final class Side {
        private final EventPort event;
        private final WaitPort wait;
        private final int[] tokens = new int[8];

        Side(Kernel kernel) {
            event = kernel.openEvent();
            wait = kernel.openWait();
            wait.add(event, 0);
        }

        void await() {
            wait.await(tokens, -1);
            event.read();
        }
    }
}
