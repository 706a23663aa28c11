package io.github.vfio4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SizesTest {
    @ParameterizedTest
    @CsvSource({
        "0, 0 bytes", "512, 512 bytes", "1023, 1023 bytes", "1024, 1 KiB", "73728, 72 KiB", "1048576, 1 MiB",
        "1048577, 1048577 bytes", "1099511627776, 1 TiB", "4611686018427387904, 4 EiB"
    })
    void aSizeHasTheLargestUnitThatLosesNothing(long bytes, String text) {
        assertThat(Sizes.text(bytes)).isEqualTo(text);
    }

    @Test
    void numbersLookTheSameInEveryLocale() {
        Locale before = Locale.getDefault();
        try {
            Locale.setDefault(Locale.GERMANY);
            assertThat(Sizes.count(65536)).isEqualTo("65,536");
            assertThat(Sizes.milliseconds(1_500_000)).isEqualTo("1.5 ms");
        } finally {
            Locale.setDefault(before);
        }
    }
}
