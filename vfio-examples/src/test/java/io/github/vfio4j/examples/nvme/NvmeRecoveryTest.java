package io.github.vfio4j.examples.nvme;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.examples.nvme.NvmeException.Kind;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class NvmeRecoveryTest {
    private static final long MILLISECOND = 1_000_000;
    private static final int ASYNC_EVENT_REQUEST = 0x0c;
    private static final int ABORT_REQUESTED = 0x07;

    private final FaultyModel model = new FaultyModel();
    private final Rig rig = new Rig(model);
    private final NvmeController controller = rig.start();
    private final NvmeNamespace namespace = controller.namespaces().getFirst();
    private final NvmeQueue queue = controller.createQueue(8);
    private final DmaBuffer buffer = rig.memory(8192);

    @AfterEach
    void close() {
        controller.close();
        rig.close();
    }

    @Test
    void aCommandThatDoesNotCompleteTimesOutAndStaysUnderWay() {
        loseACompletion();
        assertThat(queue.pending()).isEqualTo(1);
    }

    @Test
    void aControllerSaysWhenItDoesNotAbort() {
        int command = loseACompletion();
        assertThat(controller.abort(queue, command)).isFalse();
    }

    @Test
    void aCommandThatIsAbortedCompletesWithAStatusThatSaysSo() {
        int command = controller.admin().submit(ASYNC_EVENT_REQUEST, 0, 0, 0, 0, 0, 0);
        assertThat(controller.abort(controller.admin(), command)).isTrue();
        assertThat(controller.admin().await()).isEqualTo(command);
        assertThat(controller.admin().status() & 0x7ff).isEqualTo(ABORT_REQUESTED);
    }

    @Test
    void aResetForgetsWhatWasUnderWayAndTheQueueWorksAgain() {
        loseACompletion();
        controller.reset();
        assertThat(queue.pending()).isZero();
        assertBlocksComeAndGo(queue);
    }

    @Test
    void aResetHelpsAfterAFatalError() {
        rig.device.config().disableBusMaster();
        assertFails(Kind.FATAL, () -> namespace.flush(queue));
        rig.device.config().enableBusMaster();
        controller.reset();
        assertBlocksComeAndGo(queue);
    }

    @Test
    void aResetHelpsAfterTheDeviceWasReset() {
        rig.device.reset();
        rig.device.config().enableBusMaster();
        controller.reset();
        assertBlocksComeAndGo(queue);
    }

    @Test
    void aResetBringsEveryQueueBackAndItsInterrupt() {
        Interrupts vectors = rig.device.irq(PciIrq.MSIX).enable(0, 3);
        NvmeQueue second = controller.createQueue(4, vectors.get(1));
        NvmeQueue third = controller.createQueue(16, vectors.get(2));
        for (int i = 0; i < 3; i++) {
            controller.reset();
            assertBlocksComeAndGo(queue);
            assertBlocksComeAndGo(second);
            assertBlocksComeAndGo(third);
        }
    }

    @Test
    void whatWasWrittenIsThereAfterAReset() {
        buffer.segment().set(JAVA_LONG, 0, 42);
        namespace.write(queue, 7, 1, buffer, 0);
        controller.reset();
        namespace.read(queue, 7, 1, buffer, 4096);
        assertThat(buffer.segment().get(JAVA_LONG, 4096)).isEqualTo(42);
    }

    @Test
    void aQueueWithAnInterruptTimesOutToo() {
        Interrupts vectors = rig.device.irq(PciIrq.MSIX).enable(0, 2);
        NvmeQueue sleeper = controller.createQueue(4, vectors.get(1));
        model.losesCompletions = true;
        namespace.submitRead(sleeper, 0, 1, buffer.iova());
        assertFails(Kind.TIMEOUT, () -> sleeper.await(MILLISECOND));
        model.losesCompletions = false;
        controller.reset();
        assertBlocksComeAndGo(sleeper);
    }

    @Test
    void aCompletionForACommandThatIsNotUnderWayIsNoticed() {
        model.confusesCommands = true;
        namespace.submitRead(queue, 0, 1, buffer.iova());
        assertFails(Kind.UNUSABLE, queue::await);
        model.confusesCommands = false;
        controller.reset();
    }

    @Test
    void amongManyItIsNoticedToo() {
        model.confusesCommands = true;
        namespace.submitRead(queue, 0, 1, buffer.iova());
        queue.ring();
        assertFails(Kind.UNUSABLE, () -> {
            while (queue.reap(new int[4], new int[4], 4) == 0) {
                Thread.onSpinWait();
            }
        });
        assertThat(queue.pending()).isEqualTo(1);
        model.confusesCommands = false;
        controller.reset();
    }

    @Test
    void afterAnErrorStatusNothingNeedsToBeReset() {
        assertFails(Kind.STATUS, () -> namespace.read(queue, namespace.blocks(), 1, buffer, 0));
        assertBlocksComeAndGo(queue);
    }

    private int loseACompletion() {
        model.losesCompletions = true;
        int command = namespace.submitRead(queue, 0, 1, buffer.iova());
        assertFails(Kind.TIMEOUT, () -> queue.await(MILLISECOND));
        while (!model.lostOne) {
            Thread.onSpinWait();
        }
        model.losesCompletions = false;
        return command;
    }

    private void assertBlocksComeAndGo(NvmeQueue queue) {
        for (int i = 0; i < 40; i++) { // more than once round the rings
            buffer.segment().set(JAVA_LONG, 0, 1000L + i);
            namespace.write(queue, i, 1, buffer, 0);
            namespace.read(queue, i, 1, buffer, 4096);
            assertThat(buffer.segment().get(JAVA_LONG, 4096)).isEqualTo(1000L + i);
        }
    }

    private static void assertFails(Kind kind, ThrowingCallable call) {
        assertThatThrownBy(call)
                .asInstanceOf(InstanceOfAssertFactories.type(NvmeException.class))
                .satisfies(e -> assertThat(e.kind()).as(e.getMessage()).isEqualTo(kind));
    }
}
