from solution import BankAccount, InsufficientFunds
import pytest


@pytest.fixture
def account():
    return BankAccount("ann", 10)


class TestBankAccount:
    def test_deposit(self, account):
        assert account.deposit(5) == 15

    def test_overdraw(self, account):
        with pytest.raises(InsufficientFunds, match="ann has only 10"):
            account.withdraw(11)

    def test_repr(self, account, capsys):
        print(account)
        assert capsys.readouterr().out == "BankAccount('ann', 10)\n"
