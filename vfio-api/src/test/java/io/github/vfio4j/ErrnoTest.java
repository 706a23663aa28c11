package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ErrnoTest {
    @Test
    void everyConstantHasTheNameOfItsNumber() throws IllegalAccessException {
        List<java.lang.reflect.Field> constants = Arrays.stream(Errno.class.getFields())
                .filter(f -> Modifier.isStatic(f.getModifiers()))
                .toList();
        assertThat(constants).hasSizeGreaterThan(20);
        for (java.lang.reflect.Field constant : constants) {
            assertThat(((Errno) constant.get(null)).name()).isEqualTo(constant.getName());
        }
    }

    @Test
    void theLastNamedNumberOfTheKernelHasItsName() {
        assertThat(new Errno(133)).hasToString("EHWPOISON (133)");
    }

    @Test
    void aNumberWithoutANameIsShownAsANumber() {
        assertThat(new Errno(41).name()).isEqualTo("errno 41");
        assertThat(new Errno(4711).name()).isEqualTo("errno 4711");
    }

    @Test
    void zeroAndNegativeNumbersAreNoErrno() {
        assertThatIllegalArgumentException().isThrownBy(() -> new Errno(0));
        assertThatIllegalArgumentException().isThrownBy(() -> new Errno(-16));
    }
}
