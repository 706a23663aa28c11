package io.github.vfio4j.ffm;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.vfio4j.Container;
import io.github.vfio4j.Eeh;
import io.github.vfio4j.EehError;
import io.github.vfio4j.Errno;
import io.github.vfio4j.Group;
import io.github.vfio4j.PeState;
import io.github.vfio4j.Rule;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.SpaprTceV2;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.VfioException;
import io.github.vfio4j.ffm.gen.vfio_h;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The bytes of VFIO_EEH_PE_OP as linux/vfio.h describes them, and the states that answer it. */
class EehTest {
    private static final int EEH_PE_OP = 0x3b79;
    private static final int GET_STATE = 4;

    private final MadeKernel kernel = new MadeKernel();
    private final Vfio vfio = kernel.vfio();
    private final Container container = vfio.openContainer();
    private final Group group = vfio.openGroup(3);
    private SpaprTceV2 iommu;
    private Eeh eeh;
    private int lastOperation;
    private int answer;

    @BeforeEach
    void open() {
        kernel.extensions.add(7L);
        kernel.extensions.add((long) vfio_h.VFIO_EEH());
        kernel.answer(EEH_PE_OP, op -> {
            assertThat(op.get(JAVA_INT, 0)).as("argsz").isEqualTo(40);
            assertThat(op.get(JAVA_INT, 4)).as("flags").isZero();
            lastOperation = op.get(JAVA_INT, 8);
            assertThat(op.asSlice(12, 28).toArray(JAVA_INT)).as("no error").containsOnly(0);
            return answer;
        });
        container.attach(group);
        iommu = container.setSpaprTceV2();
        eeh = iommu.eeh().orElseThrow();
        kernel.newCalls();
    }

    @AfterEach
    void close() {
        vfio.close();
    }

    @Test
    void aMachineWithoutItHasNone() {
        assertThat(iommu.eeh()).containsSame(eeh);
        kernel.extensions.remove(5L);
        assertThat(iommu.eeh()).isEmpty();
    }

    @Test
    void everyStepHasTheNumberOfTheHeader() {
        Map<Integer, Runnable> steps = Map.of(
                0, eeh::disable,
                1, eeh::enable,
                2, eeh::unfreezeIo,
                3, eeh::unfreezeDma,
                5, eeh::deassertReset,
                6, () -> eeh.assertReset(Eeh.Reset.HOT),
                7, () -> eeh.assertReset(Eeh.Reset.FUNDAMENTAL),
                8, eeh::configure);
        steps.forEach((number, step) -> {
            step.run();
            assertThat(lastOperation).isEqualTo(number);
            assertThat(kernel.newCalls()).containsExactly("3b79");
        });
    }

    @Test
    void theStateIsTheAnswer() {
        Map<Integer, PeState> states = Map.of(
                0, PeState.NORMAL, 1, PeState.RESET, 2, PeState.STOPPED, 4, PeState.STOPPED_DMA, 5, PeState.UNAVAILABLE);
        states.forEach((number, state) -> {
            answer = number;
            assertThat(eeh.state()).isEqualTo(state);
            assertThat(state.number()).isEqualTo(number);
            assertThat(lastOperation).isEqualTo(GET_STATE);
        });
        answer = 3;
        VfioException e = catchThrowableOfType(VfioException.class, eeh::state);
        assertThat(e.errno()).isEqualTo(Errno.EPROTO);
    }

    @Test
    void anErrorHasItsFieldsWhereTheHeaderSaysSo() {
        kernel.answer(EEH_PE_OP, op -> {
            assertThat(op.get(JAVA_INT, 0)).as("argsz").isEqualTo(40);
            assertThat(op.get(JAVA_INT, 8)).as("op").isEqualTo(9);
            assertThat(op.get(JAVA_INT, 16)).as("type").isEqualTo(1);
            assertThat(op.get(JAVA_INT, 20)).as("func").isEqualTo(19);
            assertThat(op.get(JAVA_LONG, 24)).as("addr").isEqualTo(0x1_8000_0000L);
            assertThat(op.get(JAVA_LONG, 32)).as("mask").isEqualTo(-4096);
            return 0;
        });
        eeh.inject(new EehError(
                EehError.Width.BITS_64, EehError.Function.DMA_WRITE_TARGET, 0x1_8000_0000L, -4096));
        assertThat(kernel.newCalls()).containsExactly("3b79");
    }

    /** asm/eeh.h of PowerPC, which is none of the headers that the bindings are made of. */
    @Test
    void functionsAreInTheOrderOfTheirHeader() {
        assertThat(Stream.of(EehError.Function.values())).hasSize(20);
        assertThat(EehError.Function.STORE_MEMORY_ADDRESS.ordinal()).isEqualTo(6);
        assertThat(EehError.Function.DMA_READ_ADDRESS.ordinal()).isEqualTo(12);
        assertThat(EehError.Function.DMA_WRITE_ADDRESS.ordinal()).isEqualTo(16);
        assertThat(EehError.Width.BITS_32.ordinal()).isZero();
    }

    @Test
    void whatThePlatformRefusesIsSaid() {
        answer = -Errno.ENODEV.number();
        VfioException e = catchThrowableOfType(VfioException.class, eeh::state);
        assertThat(e.errno()).isEqualTo(Errno.ENODEV);
        assertThat(e).hasMessageContaining("VFIO_EEH_PE_OP");
        container.close();
        kernel.newCalls();
        RuleViolation closed = catchThrowableOfType(RuleViolation.class, eeh::enable);
        assertThat(closed.rule()).contains(Rule.HANDLE_OPEN);
        assertThat(kernel.newCalls()).isEmpty();
    }
}
