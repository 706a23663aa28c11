package io.github.vfio4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PciAddressTest {
    @ParameterizedTest
    @ValueSource(strings = {"0000:06:0d.0", "ffff:ff:1f.7", "10000:e1:00.0"})
    void whatTheKernelPrintsIsReadAndPrintedAgain(String text) {
        assertThat(PciAddress.parse(text)).hasToString(text);
    }

    @Test
    void aMissingDomainIsDomainZero() {
        assertThat(PciAddress.parse("06:0d.1")).isEqualTo(new PciAddress(0, 6, 13, 1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "6:0d.0", "0000:06:20.0", "0000:06:0d.8", "0000:06:0d", "0000:06:0d.0 ", "eth0", "0000:06:0d.0 vf_token=1"})
    void anythingElseIsRefusedWithAnExample(String text) {
        assertThatIllegalArgumentException().isThrownBy(() -> PciAddress.parse(text)).withMessageContaining("PCI address");
    }

    @Test
    void addressesSortByDomainBusSlotFunction() {
        assertThat(PciAddress.parse("0000:ff:1f.7")).isLessThan(PciAddress.parse("0001:00:00.0"));
        assertThat(PciAddress.parse("00:02.7")).isLessThan(PciAddress.parse("00:03.0"));
        assertThat(PciAddress.parse("00:1f.0")).isLessThan(PciAddress.parse("01:00.0"));
    }
}
