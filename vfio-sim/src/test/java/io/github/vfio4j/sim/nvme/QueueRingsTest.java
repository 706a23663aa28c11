package io.github.vfio4j.sim.nvme;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.vfio4j.sim.nvme.Rig.Ring;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class QueueRingsTest {
    private final Rig rig = new Rig();

    @AfterEach
    void powerOff() {
        rig.close();
    }

    @Test
    void aCompletionNamesItsCommandItsQueueAndTheNewHead() {
        rig.enable();
        Ring ring = rig.createPair(3, 8, -1);
        int id = ring.submit(flush());
        Completion completion = ring.take();
        assertThat(completion.commandId()).isEqualTo(id);
        assertThat(completion.submissionQueue()).isEqualTo(3);
        assertThat(completion.submissionHead()).isEqualTo(1);
        assertThat(completion.phase()).isEqualTo(1);
        assertThat(completion.result()).isZero();
    }

    @Test
    void thePhaseBitTurnsEachTimeTheQueueWraps() {
        rig.enable();
        Ring ring = rig.createPair(1, 4, -1);
        List<Integer> phases = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            phases.add(ring.run(flush()).phase());
        }
        assertThat(phases).containsExactly(1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1);
    }

    @Test
    void theSubmissionHeadWraps() {
        rig.enable();
        Ring ring = rig.createPair(1, 3, -1);
        List<Integer> heads = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            heads.add(ring.run(flush()).submissionHead());
        }
        assertThat(heads).containsExactly(1, 2, 0, 1, 2, 0, 1);
    }

    @Test
    void oneDoorbellStartsManyCommandsWhichCompleteInOrder() {
        rig.enable();
        Ring ring = rig.createPair(1, 64, -1);
        List<Integer> submitted = new ArrayList<>();
        for (int i = 0; i < 63; i++) {
            submitted.add(ring.put(flush()));
        }
        ring.ring();
        List<Integer> completed = new ArrayList<>();
        for (int i = 0; i < 63; i++) {
            completed.add(ring.take().commandId());
        }
        assertThat(completed).isEqualTo(submitted);
    }

    @Test
    void aFullCompletionQueueHoldsFurtherCommandsBackUntilThereIsRoom() {
        rig.enable();
        Ring ring = rig.createPair(1, 4, -1);
        Ring other = rig.new Ring(2, 8);
        rig.expectSuccess(Sqe.createSubmissionQueue(2, 8, other.submissions, 1));
        for (int i = 0; i < 7; i++) {
            other.put(flush());
        }
        other.ring();
        for (int i = 0; i < 3; i++) {
            ring.peek();
        }
        rig.awaitLook();
        rig.awaitLook();
        assertThat(ring.hasCompletion()).as("a fourth entry in a queue of four").isFalse();
        for (int i = 0; i < 4; i++) {
            ring.give();
            assertThat(ring.peek().submissionHead()).isEqualTo((i + 4) % 8);
        }
    }

    @Test
    void severalSubmissionQueuesMayShareOneCompletionQueue() {
        rig.enable();
        Ring ring = rig.createPair(1, 8, -1);
        Ring other = rig.new Ring(2, 8);
        rig.expectSuccess(Sqe.createSubmissionQueue(2, 8, other.submissions, 1));
        other.submit(flush());
        assertThat(ring.take().submissionQueue()).isEqualTo(2);
        ring.submit(flush());
        assertThat(ring.take().submissionQueue()).isEqualTo(1);
    }

    @Test
    void aBusyQueueDoesNotStarveAnotherOne() {
        rig.enable();
        Ring busy = rig.createPair(1, 512, -1);
        Ring quiet = rig.createPair(2, 8, -1);
        for (int i = 0; i < 511; i++) {
            busy.put(flush());
        }
        int id = quiet.put(flush());
        busy.ring();
        quiet.ring();
        assertThat(quiet.take().commandId()).isEqualTo(id);
        for (int i = 0; i < 511; i++) {
            assertThat(busy.take().status()).isEqualTo(Status.SUCCESS);
        }
    }

    @Test
    void aCompletionRaisesTheVectorOfItsQueue() {
        rig.enable();
        Ring ring = rig.createPair(1, 8, 5);
        assertThat(rig.bus.raised(5)).isZero();
        ring.run(flush());
        rig.await("vector 5", () -> rig.bus.raised(5) == 1);
        ring.run(flush());
        rig.await("vector 5 again", () -> rig.bus.raised(5) == 2);
    }

    @Test
    void anAdminCompletionRaisesVector0() {
        rig.enable();
        rig.admin.run(Sqe.getFeature(7));
        rig.await("vector 0", () -> rig.bus.raised(0) == 1);
    }

    @Test
    void aQueueWithoutInterruptsRaisesNone() {
        rig.enable();
        Ring ring = rig.createPair(1, 8, -1);
        rig.awaitLook();
        int before = rig.bus.raised(0);
        ring.run(flush());
        rig.awaitLook();
        rig.awaitLook();
        assertThat(rig.bus.raised(0)).isEqualTo(before);
    }

    @Test
    void aTailOutsideTheQueueIsIgnoredAndTakenBack() {
        rig.enable();
        Ring ring = rig.createPair(1, 8, -1);
        rig.write32(Registers.tailDoorbell(1), 8);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.tailDoorbell(1)) == 0);
        assertThat(ring.run(flush()).status()).isEqualTo(Status.SUCCESS);
    }

    @Test
    void aTailThatOverfillsTheQueueIsIgnored() {
        rig.enable();
        Ring shared = rig.createPair(1, 2, -1);
        Ring ring = rig.new Ring(2, 8);
        rig.expectSuccess(Sqe.createSubmissionQueue(2, 8, ring.submissions, 1));
        for (int i = 0; i < 5; i++) {
            ring.put(flush());
        }
        ring.ring();
        shared.peek(); // one is done, four wait, and no room for the next completion
        rig.awaitLook();
        rig.write32(Registers.tailDoorbell(2), 1);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.tailDoorbell(2)) == 5);
    }

    @Test
    void aHeadOutsideTheQueueIsIgnoredAndTakenBack() {
        rig.enable();
        Ring ring = rig.createPair(1, 8, -1);
        rig.write32(Registers.headDoorbell(1), -1);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.headDoorbell(1)) == 0);
        assertThat(ring.run(flush()).status()).isEqualTo(Status.SUCCESS);
    }

    @Test
    void aHeadThatTakesWhatWasNeverPostedIsIgnoredAndTakenBack() {
        rig.enable();
        Ring ring = rig.createPair(1, 8, -1);
        rig.write32(Registers.headDoorbell(1), 3);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.headDoorbell(1)) == 0);
        assertThat(ring.run(flush()).status()).isEqualTo(Status.SUCCESS);
    }

    @Test
    void aDoorbellOfAQueueThatDoesNotExistIsTakenBack() {
        rig.enable();
        rig.write32(Registers.tailDoorbell(9), 1);
        rig.await("the doorbell to be taken back", () -> rig.read32(Registers.tailDoorbell(9)) == 0);
        assertThat(rig.createPair(9, 8, -1).run(flush()).status()).isEqualTo(Status.SUCCESS);
    }

    @Test
    void aQueueThatIsCreatedAgainStartsAtItsBeginning() {
        rig.enable();
        rig.createPair(1, 8, -1).run(flush());
        rig.expectSuccess(Sqe.deleteSubmissionQueue(1));
        rig.expectSuccess(Sqe.deleteCompletionQueue(1));
        Completion completion = rig.createPair(1, 8, -1).run(flush());
        assertThat(completion.submissionHead()).isEqualTo(1);
        assertThat(completion.phase()).isEqualTo(1);
    }

    @Test
    void theLargestQueuesWork() {
        rig.enable();
        Ring ring = rig.createPair(1, 2048, -1);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 2047; i++) {
                ring.put(flush());
            }
            ring.ring();
            for (int i = 0; i < 2047; i++) {
                assertThat(ring.take().status()).isEqualTo(Status.SUCCESS);
            }
        }
    }

    @Test
    void theSmallestQueuesWork() {
        rig.enable(2);
        Ring ring = rig.createPair(1, 2, -1);
        for (int i = 0; i < 20; i++) {
            assertThat(ring.run(flush()).status()).isEqualTo(Status.SUCCESS);
        }
    }

    private static Sqe flush() {
        return Sqe.command(0x00).namespace(1);
    }
}
